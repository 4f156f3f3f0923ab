# make read: the book on localhost.   make test: everything proved.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
NAME ?= digits
RUN = $(VENV)/bin/python -m

.PHONY: read book test lowest outputs stamp weights results bench setup clean

read: book              ## set up, build, and serve the book on localhost
	@$(RUN) tools.site serve $(PORT)

book: setup             ## set up and build the book into _build/html
	@$(RUN) tools.site build

test: setup             ## prove everything: style, site, library, notebooks
	@$(RUN) tools.prove

lowest:                 ## prove that the oldest packages which pyproject.toml promises are enough
	@$(PYTHON) -m tools.lowest

outputs: setup          ## run every notebook again and store its outputs (or NOTEBOOKS="book/03…")
	@$(RUN) tools.outputs $(NOTEBOOKS)
	@$(RUN) tools.home && $(RUN) tools.social

stamp: setup            ## write the setup cell of every notebook from _config.yml
	@$(RUN) tools.stamp

weights: setup          ## train NAME (digits, fashion, emoji-small, …) or go on with it, measure it, write its card
	@$(VENV)/bin/accelerate launch -m ddpm_lib.recipes $(NAME) --out runs --resume
	@cp runs/$(NAME).safetensors ddpm_lib/weights/
	@$(RUN) ddpm_lib.evaluate $(NAME) --raw runs/$(NAME).run && $(MAKE) results

results: setup          ## write the cards of the weights and the page of results from what was measured
	@$(RUN) tools.cards && $(RUN) tools.results

bench: setup            ## measure speed against what else one could pick (on an idle machine)
	@$(VENV)/bin/pip install -q -e ".[bench]"
	@$(RUN) benchmarks.unet --out benchmarks/unet.json
	@$(RUN) benchmarks.to_loss --out benchmarks/to_loss.json
	@$(RUN) benchmarks.overhead --out benchmarks/overhead.json

setup:
	@$(PYTHON) -m tools.environment $(VENV)

clean:                  ## remove everything that can be made again, except .venv
	@rm -rf _build build dist *.egg-info book/_static/mathjax book/_static/fonts book/_static/network .pytest_cache .hypothesis .ruff_cache
