"""The episode explorer: clips that play, support beside query, the answers, and every distance behind them."""

from functools import lru_cache

from clipspm_lite.data.episodes import Episode
from clipspm_lite.model.clipspm import CLIPSPMOutput
from clipspm_lite.plots.base import film_strips
from clipspm_lite.plots.prototypes import stacked_distances
from clipspm_lite.plots.results import episode_board
from clipspm_lite.widgets.base import Explorer, Picture, choose, play, slider
from clipspm_lite.widgets.choices import MOST_WAYS, explore_episodes, margin_over_others
from clipspm_lite.widgets.gallery import Gallery

Chosen = tuple[Episode, str]  # an episode, and how it was chosen


def episode_explorer(gallery: Gallery) -> Explorer:
    """An episode drawn or chosen from the gallery, one query per class, and how the model answers each of them."""
    ways_to_ask = [("all together (transductive)", False), ("one at a time (inductive)", True)]
    controls = {
        "asked": choose("queries asked", ways_to_ask, gallery.model.inductive),
        "query": slider("query", 1, MOST_WAYS),
        "frame": slider("frame", 1, gallery.data.features.shape[1]),
    }
    pictures = EpisodePictures(gallery)
    draw = {"board": pictures.board, "strips": pictures.strips, "distances": pictures.distances}
    idle = {"asked": lambda: not gallery.model.config.with_padm}  # then queries do not meet
    player = play(controls["frame"], "play the clips")
    return explore_episodes("episode", gallery, controls, draw, "query", idle, [player])


class EpisodePictures:
    """The pictures of the episode explorer, as functions of its controls' values."""

    def __init__(self, gallery: Gallery):
        self.gallery = gallery
        self.output = lru_cache(maxsize=16)(self._compute_output)

    def _compute_output(self, episode: Episode, inductive: bool) -> CLIPSPMOutput:
        with self.gallery.scoring() as model:
            return model(*(tensor[0] for tensor in self.gallery.tensors(episode)), inductive=inductive)

    def board(self, drawn: Chosen, asked: bool, frame: int) -> Picture:
        """One moment of the episode: supports, queries, answers."""
        episode, source = drawn
        answers = self.output(episode, asked).logits.argmax(-1).tolist()
        right = sum(answer == label for answer, label in zip(answers, episode.query_labels, strict=True))
        names = self.gallery.names_of(episode)
        figure = episode_board(
            [[self.gallery.clip(video) for video in videos] for videos in episode.support],
            [self.gallery.clip(video) for video in episode.query],
            names,
            episode.query_labels,
            answers,
            frame - 1,
        )
        return Picture(
            figure,
            f"{source}, frame {frame} of {self.gallery.data.features.shape[1]}: {len(names)}-way "
            f"{len(episode.support[0])}-shot, one query per class, "
            f"asked {'one at a time' if asked else 'all together'}: {right} of {len(names)} answered rightly (✓), "
            "which says little about the model: one episode. Query n is that of row n.",
            f"{len(names)} rows of frames, supports beside a query: {', '.join(names)}. {right} of {len(names)} right.",
        )

    def strips(self, drawn: Chosen, asked: bool, query: int) -> Picture:
        """A query over time, above a support of its class and of the class that was answered."""
        episode, names = drawn[0], self.gallery.names_of(drawn[0])
        chosen = min(query, len(names)) - 1
        label, answer = episode.query_labels[chosen], int(self.output(episode, asked).logits[chosen].argmax())
        shown = {f"query {chosen + 1}": episode.query[chosen], f"support: {names[label]}": episode.support[label][0]}
        verdict, ending = f"answered {names[answer]} ✓", "."
        if answer != label:
            shown[f"support: {names[answer]}, which was answered"] = episode.support[answer][0]
            verdict = f"it is {names[label]}, answered {names[answer]} ✗"
            ending = " and that of the class that was answered."
        return Picture(
            film_strips({name: self.gallery.clip(video) for name, video in shown.items()}),
            f"Query {chosen + 1} over time, {verdict}; below it the first support of its class{ending}",
            f"Film strips of {', '.join(shown)}: {verdict}.",
        )

    def distances(self, drawn: Chosen, asked: bool, query: int) -> Picture:
        """The terms of one query's score, class by class."""
        episode, names = drawn[0], self.gallery.names_of(drawn[0])
        output = self.output(episode, asked)
        chosen = min(query, len(names)) - 1
        label, logits = episode.query_labels[chosen], output.logits[chosen]
        terms = {name: term.expand_as(output.logits)[chosen] for name, term in output.terms.items()}
        best, margin = int(logits.argmax()), margin_over_others(logits, label)
        spread = "; ".join(f"{name} {float(term.max() - term.min()):.2f}" for name, term in terms.items())
        anchor = " D_anchor is one row for all queries asked together." if self.gallery.has_anchor else ""
        return Picture(
            stacked_distances(terms, names, label),
            f"What the answer to query {chosen + 1} ({names[label]}) is made of. The shortest bar is the answer, "
            f"{names[best]} {'✓' if best == label else '✗'}; the true class is {abs(margin):.2f} "
            f"{'nearer' if margin > 0 else 'farther'} than the best other. From the nearest class to the farthest: "
            f"{spread}.{anchor}",
            f"Stacked bars, one per class, of {', '.join(terms)}; shortest: {names[best]}.",
        )
