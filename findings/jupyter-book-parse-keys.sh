#!/usr/bin/env bash
# Jupyter Book 1.0.4.post1: of the MyST options, only some are read under `parse:` in _config.yml; the others are
# dropped without a word.
#
# Guess: `parse:` already takes myst_enable_extensions, so `parse: {myst_heading_anchors: 3}` sets that option, or is
# refused as unknown.
# Seen: the build neither sets it nor mentions it. A link to a section of another page, b.md#a-section, is reported
# as missing, and only by the checker of links. The same line under `sphinx: config:` works.
# Instead: put every MyST option but myst_enable_extensions under `sphinx: config:`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv env && env/bin/pip install -q "jupyter-book==1.0.4.post1" "sphinx==7.4.7" "setuptools<81"

book() {  # book NAME CONFIG: a book of two pages, the first with a link to a section of the second
  mkdir "$1"
  printf 'format: jb-book\nroot: a\nchapters:\n- file: b\n' > "$1/_toc.yml"
  printf 'title: t\n%b\n' "$2" > "$1/_config.yml"
  printf '# A\n\n[there](b.md#a-section)\n' > "$1/a.md"
  printf '# B\n\n## A section\n\ntext\n' > "$1/b.md"
  env/bin/jupyter-book build "$1" > "$1.log" 2>&1 || true
}
book under-parse 'parse:\n  myst_heading_anchors: 3'
book under-sphinx 'sphinx:\n  config:\n    myst_heading_anchors: 3'

for name in under-parse under-sphinx; do
  echo "$name: $(grep -c 'xref_missing' $name.log || true) warnings of a missing section," \
    "$(grep -c 'myst_heading_anchors' $name.log || true) words about the key"
done | tee seen
diff seen - <<'END'
under-parse: 1 warnings of a missing section, 0 words about the key
under-sphinx: 0 warnings of a missing section, 0 words about the key
END
echo "as described"
