// Paper is white: print from the dark theme as from the light one.
const theme = document.documentElement.dataset;
let before;
addEventListener("beforeprint", () => { before = theme.theme; theme.theme = "light"; });
addEventListener("afterprint", () => { theme.theme = before; });
