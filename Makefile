# Every target sets up what it needs, also on a fresh Debian machine with Python 3.11. A second call is quick.
VENV ?= .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
GL_PACKAGES := libegl1 libgl1-mesa-dri libopengl0
BROWSERS := chromium chromium-browser google-chrome
# Extra words for the commands below, such as make bench ARGS="--episodes 20".
ARGS ?=

.PHONY: bench expert test gate check format doctor browser clean
.DELETE_ON_ERROR:

bench: $(VENV)/.gl
	$(PY) -m benchmarks.run --suite unseen_objects $(ARGS)

expert: $(VENV)/.gl
	$(PY) -m benchmarks.run --suite unseen_objects --policy expert $(ARGS)

test: $(VENV)/.gl
	$(PY) -m pytest -n logical $(ARGS)

# Do expert and shipped policy still do what they did? Episode by episode on a machine of the same kind.
gate: $(VENV)/.gl
	$(PY) -m benchmarks.regress --baseline benchmarks/baselines/expert.json $(ARGS)
	$(PY) -m benchmarks.regress --baseline benchmarks/baselines/small.json $(ARGS)

check: $(VENV)/.gl
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m pytest -n logical -m "not slow" $(ARGS)

format: $(VENV)/.packages
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

doctor: $(VENV)/.packages
	$(PY) -m benchmarks.doctor $(ARGS)

# The viewer is also tried in a real browser. Without one that test is skipped, so nothing here ever fails.
browser:
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	( $(call debian_install,chromium,There is no browser here to try the viewer in.) ) || \
	echo "The viewer's test in a real browser will be skipped."

clean:
	rm -rf $(VENV) *.egg-info

# Installs Debian packages where that is allowed, and names them where it is not. $(1): packages, $(2): what is missing.
define debian_install
	echo "$(2)"; \
	if ! command -v apt-get >/dev/null; then echo "Install what this system calls: $(1)"; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; \
	else echo "Install it with: sudo apt-get install $(1)"; exit 1; fi; \
	echo "Installing $(1)"; \
	{ $$sudo apt-get install -y --no-install-recommends $(1) || \
	{ $$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends $(1); }; } >/dev/null \
	|| { echo "That failed. Install by hand: $(1)"; exit 1; }
endef

$(VENV)/.python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ $(call debian_install,python3-venv,Python is here but its module for virtual environments is not.); }
	"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.packages: $(VENV)/.python requirements.lock pyproject.toml
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.gl: $(VENV)/.packages
	@$(PY) -m benchmarks.doctor --gl-only || { \
		$(call debian_install,$(GL_PACKAGES),No OpenGL library works here yet.); \
		$(PY) -m benchmarks.doctor --gl-only; }
	@touch $@
