"""Packs the course into the wheel, laid out as in a clone. Everything else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

COURSE = (
    "data_samples/**/*",
    "notebooks/*.ipynb",
    "notebooks/README.md",
    "notebooks/results/*.json",
    "tests/reference_vectors/*",
    "tests/exercises/wrong_answers.md",
)


class BuildWithCourse(build_py):
    def run(self):
        super().run()
        if self.editable_mode:
            return  # in a clone the course is where it is
        course = Path(self.build_lib, "clipspm_lite", "_course")
        shutil.rmtree(course, ignore_errors=True)  # of an earlier build
        for source in (path for pattern in COURSE for path in Path().glob(pattern) if path.is_file()):
            (course / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, course / source)


setup(cmdclass={"build_py": BuildWithCourse})
