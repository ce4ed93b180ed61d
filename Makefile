.PHONY: notebooks check
# Execute every notebook in place, store its outputs, and strip what must not be stored.
notebooks:
	python -m clipspm_lite.notebooks

check:
	ruff check .
	ruff format --check .
	mypy
	python -m pytest
