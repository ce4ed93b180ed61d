"""A recogniser of one's own clips: uneven counts, answers that can be read and explained, one file to keep it in."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import clipspm_lite
from clipspm_lite.clip.backbone import LOCAL_DIR, TINY_CLIP_DIR, load_backbone
from clipspm_lite.clip.checkpoints import LITE_INDUCTIVE_MODEL, CheckpointError
from clipspm_lite.clip.feature_store import FeatureStore
from clipspm_lite.data.datasets import DatasetError, VideoDataset, sample_world
from clipspm_lite.model import baselines
from clipspm_lite.model.heads import build_head
from clipspm_lite.model.otam import align
from clipspm_lite.recognition.recogniser import COSINES, Recogniser

VERSION_1 = Path(__file__).parents[1] / "recogniser_version_1.safetensors"


class Letters:
    """Stands for a feature store: a video's features are its name's first letter, and so are a name's."""

    frames, resize = 4, 8

    def __init__(self):
        self.backbone = self
        self.name, self.weights, self.dim, self.cosine_scale = "letters", None, 26, 10.0

    def encode(self, paths, progress=False):
        return torch.stack([torch.eye(26)[ord(path.name[0]) - ord("a")].expand(4, 26) for path in paths])

    def encode_class_names(self, names, templates):
        return torch.stack([torch.eye(26)[ord(name[0]) - ord("a")] for name in names])


def small_head(**changes):
    torch.manual_seed(0)
    return build_head({"dim": 128, "heads": 2, "head_dim": 4, "mlp_dim": 8, **changes})


def logits_of(answer):
    return torch.tensor([score.logit for score in answer.ranking])


NOVEL = sample_world("novel")
QUERIES = [NOVEL.root / names[-1] for names in NOVEL.videos[:4]]


@pytest.fixture(scope="module")
def known():
    """Four novel classes with 1, 2, 3 and 4 clips, none of them among QUERIES."""
    few = tuple(names[: 1 + i] for i, names in enumerate(NOVEL.videos[:4]))
    return replace(NOVEL, classes=NOVEL.classes[:4], videos=few)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FeatureStore(load_backbone("tiny"), tmp_path_factory.mktemp("store"))


def test_uneven_counts_of_clips_are_padded_and_masked(tmp_path):
    support = VideoDataset(tmp_path, ("alpha", "beta"), (("a.mp4",), ("b.mp4", "c.mp4", "d.mp4")))
    recogniser = Recogniser("otam", Letters()).with_support(support)
    assert recogniser.support.features.shape == (2, 3, 4, 26)
    assert recogniser.support.mask.tolist() == [[True, False, False], [True, True, True]]
    answers = recogniser.predict([tmp_path / "a2.mp4", tmp_path / "c2.mp4"])
    assert [answer.action for answer in answers] == ["alpha", "beta"]
    assert recogniser.predict([]) == []


@pytest.mark.parametrize("method", list(baselines.TRAINING_FREE))
def test_an_answer_ranks_every_action_with_a_probability_and_its_logit(method, tmp_path):
    support = VideoDataset(tmp_path, ("alpha", "beta", "gamma"), (("a.mp4",), ("b.mp4",), ("g.mp4",)))
    answer = Recogniser(method, Letters()).with_support(support).predict([tmp_path / "b2.mp4"])[0]
    assert {score.action for score in answer.ranking} == set(support.classes)
    assert sum(score.probability for score in answer.ranking) == pytest.approx(1)
    logits = logits_of(answer)
    assert logits.tolist() == sorted(logits.tolist(), reverse=True)
    expected = (logits * (10 if method in COSINES else 1)).softmax(0).tolist()
    assert [score.probability for score in answer.ranking] == pytest.approx(expected)
    assert answer.video == str(tmp_path / "b2.mp4") and answer.runner_up == answer.ranking[1]
    if method != "otam centred":  # which sees nothing in clips that stand still
        assert answer.action == "beta"


def test_what_cannot_be_a_recogniser_is_refused(tmp_path, store):
    with pytest.raises(ValueError, match="at least 2 actions.*alpha"):
        Recogniser("otam", Letters()).with_support(VideoDataset(tmp_path, ("alpha",), (("a.mp4",),)))
    with pytest.raises(DatasetError, match="nowhere"):
        Recogniser("otam", store).with_support("nowhere")
    for method in ("otm", torch.nn.Linear(1, 1)):
        with pytest.raises(ValueError, match="method: .*zero-shot"):
            Recogniser(method, store)
    for use in (lambda r: r.predict([tmp_path / "a.mp4"]), lambda r: r.save(tmp_path / "r.safetensors")):
        with pytest.raises(ValueError, match="with_support"):
            use(Recogniser("otam", store))


CHANGES = [
    *({}, {"with_anchor": False}, {"with_padm": False}, {"with_spm": False, "preset": "lite"}),
    {"model": "clip-spm-extended", "with_spm": False, "motion_kept": True},
    {"model": "clip-spm-extended", "centred_distance": True, "anchor": "query"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: "-".join(map(str, changes)) or "full")
def test_the_distances_of_an_explanation_add_up_and_are_those_of_the_frames_it_shows(changes, known, store):
    head = small_head(**changes)
    for answer in Recogniser(head, store).with_support(known).predict(QUERIES):
        why = answer.explanation
        assert why.actions == tuple(score.action for score in answer.ranking)
        torch.testing.assert_close(torch.stack([*why.terms.values()]).sum(0), -logits_of(answer))
        assert set(why.matchings) == ({"spm", "padm"} if head.config.with_padm else {"spm"})
        assert ("D_anchor" in why.terms) == (head.config.with_padm and head.config.with_anchor)
        # The pictures show the numbers: OTAM through a matching's frame distances is its distance.
        for name, term, share in (("spm", "½ D_SPM", 0.5), ("padm", "D_PADM", 1)):
            if name in why.matchings:
                matching = why.matchings[name]
                assert torch.equal(matching.distance, why.terms[term])
                torch.testing.assert_close(share * align(matching.frame_distances), matching.distance)


@pytest.mark.parametrize("method", [*baselines.TRAINING_FREE, "clip-fsar", "trx", "clip-spm"])
def test_any_method_recognises_is_kept_without_the_clips_and_explains_what_it_can(method, known, store, tmp_path):
    head = method
    if method not in baselines.TRAINING_FREE:
        head = build_head({"model": "trx", "dim": 128, "width": 4}) if method == "trx" else small_head(model=method)
    shutil.copytree(NOVEL.root, tmp_path / "clips", copy_function=os.link)
    recogniser = Recogniser(head, store).with_support(replace(known, root=tmp_path / "clips"))
    shutil.rmtree(tmp_path / "clips")
    answer = recogniser.predict(QUERIES[:1])[0]
    if method not in baselines.TRAINING_FREE:
        support = recogniser.support
        with torch.inference_mode():
            logits = head.eval()(*support.episode(store.encode(QUERIES[:1]))).logits[0]
        torch.testing.assert_close(logits_of(answer), logits.sort(descending=True).values)
    if "spm" not in method:
        matchings = answer.explanation.matchings
        assert list(matchings) == (["otam"] if method in ("clip-fsar", "otam", "otam centred") else [])
        for matching in matchings.values():
            torch.testing.assert_close(-align(matching.frame_distances), logits_of(answer))
    recogniser.save(tmp_path / "mine.safetensors")
    again = clipspm_lite.load(tmp_path / "mine.safetensors", store=store.folder)
    assert again.method == method and repr(again) == repr(recogniser)
    assert again.predict(QUERIES[:1])[0].ranking == answer.ranking


def test_clips_do_not_change_each_others_answers_unless_asked_together_and_dropout_is_off(known, store):
    recogniser = clipspm_lite.load(LITE_INDUCTIVE_MODEL, store=store.folder).with_support(known)
    alone = [recogniser.predict([query])[0].ranking for query in QUERIES]
    recogniser.head.train()
    assert [answer.ranking for answer in recogniser.predict(QUERIES)] == alone and recogniser.head.training
    together = [answer.ranking for answer in recogniser.predict(QUERIES, together=True)]
    assert together != alone


def test_the_file_holds_no_video_no_weights_of_the_backbone_and_no_folder(known, store, tmp_path):
    folder = tmp_path / "secret" / "mine"
    shutil.copytree(TINY_CLIP_DIR, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    store = FeatureStore(load_backbone(f"{LOCAL_DIR}{folder}"), tmp_path)
    file = tmp_path / "r.safetensors"
    Recogniser("otam", store).with_support(known).save(file)
    assert b"secret" not in file.read_bytes() and str(known.root).encode() not in file.read_bytes()
    with safe_open(file, "pt") as opened:
        assert set(opened.keys()) == {"support", "support_mask", "class_text"}
    with pytest.raises(CheckpointError, match="'local-dir:mine'.*give .*backbone.*r.safetensors$"):
        clipspm_lite.load(file)
    assert clipspm_lite.load(file, backbone=f"{LOCAL_DIR}{folder}", store=tmp_path).support.classes == known.classes


def test_a_recogniser_is_refused_with_other_visual_weights_but_not_with_another_text_encoder(known, store, tmp_path):
    file = tmp_path / "r.safetensors"
    Recogniser("otam", store).with_support(known).save(file)
    backbone = load_backbone("tiny")
    with torch.no_grad():
        backbone.clip.token_embedding.weight[0, 0] += 1
    assert clipspm_lite.load(file, backbone=backbone, store=tmp_path).store.backbone is backbone
    with torch.no_grad():
        backbone.clip.visual.conv1.weight[0, 0, 0, 0] += 1e-3
    for given in ({"backbone": backbone}, {"backbone": "RN50-quickgelu", "weights": "random"}):
        with pytest.raises(CheckpointError, match=r"other weights.*r\.safetensors$"):
            clipspm_lite.load(file, **given)


def test_a_file_of_version_1_opens(tmp_path):
    recogniser = clipspm_lite.load(VERSION_1, store=tmp_path)
    assert recogniser.method == "otam" and len(recogniser.support.classes) == 2
    query = NOVEL.root / recogniser.support.classes[1]
    assert recogniser.predict([sorted(query.iterdir())[-1]])[0].action == recogniser.support.classes[1]


OTHER = {"visual_fingerprint": "x", "normalize_pixels": True}
DAMAGED = [
    *({"format_version": 2}, {"classes": ["only one"]}, {"classes": [1, 2]}, {"frames": 4}, {"resize": 0}),
    *({"method": "eval"}, {"method": "clip-spm"}, {"method": "clip-spm", "head": {"dim": 10**40}}),
    *({"backbone": backbone} for backbone in (None, {"visual_fingerprint": "x"}, OTHER | {"name": None})),
    *({"backbone": OTHER | {"name": name}} for name in ("RN50-quickgelu", "tiny")),
    *({"without": name} for name in ("support", "support_mask", "class_text")),
]


@pytest.mark.parametrize("changes", DAMAGED, ids=str)
def test_a_damaged_or_made_up_file_is_one_error_that_names_it(changes, tmp_path):
    file, tensors = tmp_path / "wrong.safetensors", load_file(VERSION_1)
    with safe_open(VERSION_1, "pt") as opened:
        description = json.loads(opened.metadata()["clipspm_lite"])
    tensors.pop(changes.get("without"), None)
    save_file(tensors, file, {"clipspm_lite": json.dumps(description | changes)})
    with pytest.raises(CheckpointError, match=rf"{changes.get('without', '')}.*wrong\.safetensors") as error:
        clipspm_lite.load(file)
    assert "\n" not in str(error.value)
