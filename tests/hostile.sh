#!/bin/bash
# hostile.sh: unpack the archives of hostile checkpoints below $PSIVIEW_GOLDEN
# and hand everything to tests/test_hostile.
set -u
scratch=$(mktemp -d "${TMPDIR:-.}/hostile.XXXXXX") || exit 99
trap 'rm -rf "$scratch"' EXIT
if [ -d "$PSIVIEW_GOLDEN" ]; then
	find "$PSIVIEW_GOLDEN" -path '*hostile*' -name '*.tar.xz' >"$scratch/archives"
	n=0
	while read -r archive; do
		n=$((n + 1))
		mkdir "$scratch/$n"
		xz -dc "$archive" | tar -xf - -C "$scratch/$n" || { echo "Bail out! $archive cannot be unpacked"; exit 99; }
	done <"$scratch/archives"
fi
./tests/test_hostile "$PSIVIEW_GOLDEN" "$scratch"
