# make read: the book on localhost.   make test: everything proved.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
RUN = $(VENV)/bin/python -m

.PHONY: read book test outputs stamp weights setup clean

read: book              ## set up, build, and serve the book on localhost
	@$(RUN) tools.site serve $(PORT)

book: setup             ## set up and build the book into _build/html
	@$(RUN) tools.site build

test: setup             ## prove everything: style, site, library, notebooks
	@$(RUN) tools.prove

outputs: setup          ## run every notebook again and store its outputs (or NOTEBOOKS="book/03…")
	@$(RUN) tools.outputs $(NOTEBOOKS)
	@$(RUN) tools.home

stamp: setup            ## write the setup cell of every notebook from _config.yml
	@$(RUN) tools.stamp

weights: setup          ## train the weights that ship with the book, measure them, write their cards
	@$(VENV)/bin/accelerate launch -m ddpm_lib.recipes digits
	@$(RUN) ddpm_lib.evaluate digits && $(RUN) tools.cards

setup:
	@$(PYTHON) -m tools.environment $(VENV)

clean:                  ## remove everything that can be made again, except .venv
	@rm -rf _build build dist *.egg-info book/_static/mathjax .pytest_cache .hypothesis .ruff_cache
