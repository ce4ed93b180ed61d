// Shows the widgets whose states a page holds, without a kernel and without another file.
// `frozen.py` puts ipywidgets' own script, which the package widgetsnbextension brings along, in the place of EXTENSION.
(() => {
  if (window.frozenWidgets) return; // one of several explorers on the page has brought this script already
  window.frozenWidgets = true;

  // What that script expects of the classic notebook it is made for. Here it only hands over the widgets' classes.
  let classes;
  const nothing = () => {};
  const keyboard_manager = { actions: { register: nothing } };
  const Jupyter = { version: "6.5.0", notebook: { keyboard_manager, container: { on: nothing } } };
  const outputs = { OutputArea: class { register_mime_type() {} } };
  const requirejs = Object.assign((names, then) => then(Jupyter, { on: nothing }, outputs), { config: nothing });
  const define = (names, factory) => { classes = factory({ uri: "" }); };
  window.requirejs = requirejs;
  /* EXTENSION */
  classes.load_ipython_extension(); // lays its styles into the page
  delete window.requirejs;
  const style = document.createElement("style"); // light on a dark page, too
  const colour = ["", "-label", "-readout"].map((part) => `--jp-widgets${part}-color: currentColor`).join("; ");
  style.textContent = `.clipspm-frozen { color: inherit; ${colour} } .clipspm-frozen .widget-dropdown { max-width: 97% }`;
  document.head.append(style);

  // What a widget asks of its manager.
  class Manager {
    models = {};
    comm = { on_msg: nothing, on_close: nothing, close: nothing, send: nothing }; // to the kernel, which is not there
    _rendermime = { latexTypesetter: { typeset: nothing } }; // else widgets ask for MathJax 2

    constructor(states) {
      const promised = Promise.resolve(); // all models are promised before the first is made: they refer to each other
      for (const id in states) this.models[id] = promised.then(() => this.make(id, states[id]));
    }

    async make(id, { model_name: name, state }) {
      const attributes = await classes[name]._deserialize_state(state, this);
      const options = { widget_manager: this, model_id: id, comm: this.comm };
      return Object.assign(new classes[name](attributes, options), { name });
    }

    get_model(id) {
      return this.models[id];
    }

    async create_view(model, options = {}) {
      const view = new classes[model.get("_view_name")]({ model, options });
      view.listenTo(model, "destroy", view.remove);
      await view.render();
      const handle = view.el.querySelector(".noUi-handle");
      if (handle) this.name(handle, model);
      if (model.name === "StackModel") view.el.setAttribute("aria-live", "polite"); // its new picture is read aloud
      return view;
    }

    name(handle, model) { // for screen readers, to which a slider says a number only
      const say = () => handle.setAttribute("aria-valuetext", model.get("_options_labels")[model.get("index")]);
      handle.setAttribute("aria-label", model.get("description"));
      model.on("change:index", () => setTimeout(say)); // after the slider has said its number
      say();
    }

    callbacks() {
      return {};
    }
  }

  async function show() {
    const type = (what) => `script[type="application/vnd.jupyter.widget-${what}+json"]`;
    const read = (what) => [...document.querySelectorAll(type(what))].map((tag) => [tag, JSON.parse(tag.textContent)]);
    const manager = new Manager(Object.assign({}, ...read("state").map(([, { state }]) => state)));
    await Promise.all(Object.values(manager.models));
    for (const [tag, { model_id }] of read("view")) {
      const view = await manager.create_view(await manager.get_model(model_id));
      const place = document.createElement("div");
      tag.replaceWith(place);
      view.luminoWidget.constructor.attach(view.luminoWidget, place);
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", show);
  else show();
})();
