"""The committed tiny CLIP and the script that trains it."""

import gzip
import json
import multiprocessing
import random
import sys

import numpy as np
import pytest
import torch

from clipspm_lite import world
from clipspm_lite.clip.backbone import TINY_CLIP_DIR, WEIGHTS_FILE, load_backbone
from clipspm_lite.clip.prompts import TEMPLATES, fill_templates
from clipspm_lite.tiny_clip import train as tiny_train

SPLIT = world.SPLITS["default"]


@pytest.fixture(scope="module")
def tiny():
    return load_backbone("tiny")


def test_it_is_small_and_loads_without_a_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("the tiny CLIP asked for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    load_backbone("tiny")
    assert (TINY_CLIP_DIR / WEIGHTS_FILE).stat().st_size <= 6e6


def test_the_tokenizer_gives_back_what_it_read_and_cuts_no_class_name(tiny):
    for name in world.CLASSES:
        for sentence in fill_templates(name):
            words = sentence.lower().replace(",", " ,").replace("?", " ?").split()
            assert tiny.tokenizer.decode(tiny.tokenizer.encode(sentence)).split() == words
            start, *inside, end = [token for token in tiny.tokenizer([sentence])[0].tolist() if token]
            assert [start, end] == tiny.tokenizer.all_special_ids
            assert f"{name} " in tiny.tokenizer.decode(inside), "only what follows the name may be cut off"


def test_it_names_unseen_validation_clips_better_than_chance(tiny):
    assert tiny_train.zero_shot_accuracy(tiny, SPLIT["validation"], clips=2) > 30


def test_no_held_out_class_is_named_in_the_training_captions():
    held_out = {*SPLIT["validation"], *SPLIT["novel"]}
    for index, class_name in enumerate([*SPLIT["base"], *[None] * 40]):
        scene = world.make_scene(class_name, tiny_train.TRAINING_SEED + index)
        for frame in (2, 13, 22):
            texts = world.captions(scene, frame, random.Random(index))
            assert len(texts) == 3 and all(text == text.lower() for text in texts)
            assert class_name is None or class_name in texts[0]
            assert not [name for name in held_out for text in texts if name in text]


def test_merges_join_the_most_frequent_pair_first():
    merges = tiny_train.learn_merges(["low low lowest", "Low, low!"], 3)
    assert merges == [("l", "o"), ("lo", "w</w>"), ("w", "e")], "ties go to the pair that sorts last"
    assert len(tiny_train.learn_merges(["ab"], 10)) == 1, "stops when nothing is left to join"


def test_the_loss_counts_frames_with_one_caption_as_right_for_each_other():
    features = torch.eye(4)[[0, 0, 1, 2]]
    scale = torch.tensor(50.0)
    same = torch.eye(4, dtype=torch.bool)
    strict = tiny_train.contrastive_loss(features, features, same, scale)
    same[0, 1] = same[1, 0] = True
    shared = tiny_train.contrastive_loss(features, features, same, scale)
    assert shared == pytest.approx(strict.item(), abs=1e-4)

    wrong = features.clone()
    wrong[1] = torch.eye(4)[3]
    assert tiny_train.contrastive_loss(wrong, features, same, scale) > strict + 1


def test_one_command_trains_a_folder_that_loads(tmp_path, monkeypatch):
    recipe = tiny_train.TrainingRecipe(clips=6, merges=20, batch=4, steps=2)
    monkeypatch.setattr(tiny_train, "TrainingRecipe", lambda seed: recipe)
    monkeypatch.setattr(tiny_train, "zero_shot_accuracy", lambda *_: 0.0)
    fork = multiprocessing.get_context("fork")  # starts faster
    monkeypatch.setattr(multiprocessing, "get_context", lambda _method: fork)
    folder = tmp_path / "clip"
    monkeypatch.setattr(sys, "argv", ["train", "--out", str(folder), "--cache", str(tmp_path / "cache")])
    tiny_train.main()
    first = load_backbone(f"local-dir:{folder}")
    assert first.encode_frames(torch.rand(2, 3, 64, 64)).shape == (2, first.dim)
    assert not list(folder.glob("tmp*")), "nothing unfinished is left behind"
    assert np.shape(json.loads((folder / tiny_train.LOSSES_FILE).read_text())) == (recipe.steps, 3)

    tiny_train.main()
    again = load_backbone(f"local-dir:{folder}")
    assert again.fingerprint == first.fingerprint, "the same seed gives the same weights"


def test_the_model_card_knows_the_file_it_describes():
    card = (TINY_CLIP_DIR / "MODEL_CARD.md").read_text()
    merges = gzip.decompress((TINY_CLIP_DIR / tiny_train.MERGES_FILE).read_bytes()).decode().splitlines()
    assert load_backbone("tiny").fingerprint[:16] in card
    assert f"{512 + len(merges) - 1 + 2} tokens" in card
    assert f"{len(TEMPLATES)} templates" in card
