.PHONY: notebooks check book
# Execute every notebook in place, store its outputs, and strip what must not be stored.
notebooks:
	python -m clipspm_lite.notebooks

check:
	ruff check .
	ruff format --check .
	mypy
	python -m pytest

# The course as web pages, from the stored notebooks: open out/book/index.html.
book:
	python -m sphinx -E -W --keep-going -q -j auto -d out/book_cache book out/book
