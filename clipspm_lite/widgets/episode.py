"""The episode explorer: clips that play, support beside query, the answers, and every distance that made them."""

from functools import lru_cache, partial

import ipywidgets as widgets
import torch

from clipspm_lite.data.episodes import Episode, gather
from clipspm_lite.model.clipspm import CLIPSPMOutput
from clipspm_lite.plots.base import film_strips
from clipspm_lite.plots.prototypes import stacked_distances
from clipspm_lite.plots.results import episode_board
from clipspm_lite.widgets.base import LABELLED, Explorer, Picture, play
from clipspm_lite.widgets.clips import WIDTH
from clipspm_lite.widgets.episodes import choose_episode, episode_of, keep_within_way
from clipspm_lite.widgets.gallery import Gallery, check_gallery


def episode_explorer(gallery: Gallery) -> Explorer:
    """An episode drawn or chosen from the gallery, one query a class, and how the model answers each of them."""
    check_gallery(gallery)
    frames = gallery.data.features.shape[1]
    episode_controls = choose_episode(gallery)
    controls = {
        **episode_controls,
        "asked": widgets.Dropdown(
            description="queries asked",
            options=[("all together (transductive)", False), ("one at a time (inductive)", True)],
            value=gallery.model.inductive,
            style=LABELLED,
            layout={"width": WIDTH},
        ),
        "query": widgets.IntSlider(description="query", min=1, style=LABELLED),
        "frame": widgets.IntSlider(description="frame", min=1, max=frames, style=LABELLED),
    }

    @lru_cache(maxsize=16)
    @torch.inference_mode()
    def answers_to(episode: Episode, asked: bool) -> CLIPSPMOutput:
        batch = gather(gallery.data.features, gallery.data.class_text, [episode])
        return gallery.model(batch.support[0], batch.query[0], batch.class_text[0], inductive=asked)

    def board(drawn: tuple[Episode, str], asked: bool, frame: int) -> Picture:
        episode, output = drawn[0], answers_to(drawn[0], asked)
        answers = output.logits.argmax(-1).tolist()
        right = sum(answer == label for answer, label in zip(answers, episode.query_labels, strict=True))
        names = gallery.names_of(episode)
        how = "one at a time" if asked else "all together"
        return Picture(
            episode_board(
                [[gallery.clip(video) for video in videos] for videos in episode.support],
                [gallery.clip(video) for video in episode.query],
                names, episode.query_labels, answers, frame - 1,
            ),  # fmt: skip
            f"{drawn[1]}, frame {frame} of {frames}: {len(names)}-way {len(episode.support[0])}-shot, "
            f"one query a class, asked {how}: {right} of {len(names)} answered rightly (✓), which says little about "
            "the model: one episode. Query n is that of row n.",
            f"{len(names)} rows of frames, supports beside a query: {', '.join(names)}. {right} of {len(names)} right.",
        )  # fmt: skip

    def strips(drawn: tuple[Episode, str], asked: bool, query: int) -> Picture:
        episode, output = drawn[0], answers_to(drawn[0], asked)
        names = gallery.names_of(episode)
        chosen = min(query, len(names)) - 1
        label, answer = episode.query_labels[chosen], int(output.logits[chosen].argmax())
        shown = {
            f"query {chosen + 1}": episode.query[chosen],
            f"support: {names[label]}": episode.support[label][0],
        }
        verdict = f"answered {names[answer]} ✓"
        if answer != label:
            shown[f"support: {names[answer]}, which was answered"] = episode.support[answer][0]
            verdict = f"it is {names[label]}, answered {names[answer]} ✗"
        return Picture(
            film_strips({name: gallery.clip(video) for name, video in shown.items()}),
            f"Query {chosen + 1} over time, {verdict}; below it the first support of its class"
            + ("." if answer == label else " and that of the class that was answered."),
            f"Film strips of {', '.join(shown)}: {verdict}.",
        )

    def distances(drawn: tuple[Episode, str], asked: bool, query: int) -> Picture:
        episode, output = drawn[0], answers_to(drawn[0], asked)
        names = gallery.names_of(episode)
        chosen = min(query, len(names)) - 1
        label, logits = episode.query_labels[chosen], output.logits[chosen]
        parts = {name: term.expand_as(output.logits) for name, term in output.terms.items()}
        best = int(logits.argmax())
        others = logits.clone()
        others[label] = -torch.inf
        margin = float(logits[label] - others.max())
        spread = "; ".join(
            f"{name} {float(part[chosen].max() - part[chosen].min()):.2f}" for name, part in parts.items()
        )
        return Picture(
            stacked_distances({name: part[chosen] for name, part in parts.items()}, names, label),
            f"What the answer to query {chosen + 1} ({names[label]}) is made of. The shortest bar is the answer, "
            f"{names[best]} {'✓' if best == label else '✗'}; the true class is {abs(margin):.2f} "
            f"{'nearer' if margin > 0 else 'farther'} than the best other. From the nearest class to the farthest: "
            f"{spread}. D_anchor is one row for all queries asked together.",
            f"Stacked bars, one a class, of {', '.join(parts)}; shortest: {names[best]}.",
        )

    explorer = Explorer(
        "episode",
        controls,
        {"board": board, "strips": strips, "distances": distances},
        derive={"drawn": partial(episode_of, gallery)},
        extra=[play(controls["frame"], "play the clips")],
        slow=list(episode_controls),
    )
    keep_within_way(controls, "query")
    return explorer
