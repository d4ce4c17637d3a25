# The two commands of the README, and what contributors run. Everything goes through scripts/env.sh, which makes
# .venv with nothing but python3.
.PHONY: run test conformance check fix clean

FILE ?= examples/ml-pipeline.yaml

run:            ## set up and run an example to its end
	@sh scripts/env.sh run
	@.venv/bin/jobflow run --allow-root $(FILE)

test:           ## set up and pass all tests and checks
	@sh scripts/env.sh dev
	@sh scripts/test.sh

conformance:    ## compare the embedded control plane with a real one
	@sh scripts/env.sh dev
	@sh scripts/conformance.sh

check:          ## formatting, lint, types and layers only
	@sh scripts/env.sh dev
	@sh scripts/check.sh

fix:            ## format and mend what ruff can
	@sh scripts/env.sh dev
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
