# run.sh BENCH PEER: run the network's benchmark and, if there is a Python with
# torch ($PYTHON, default python3), PyTorch's in the same run, turn about, so
# that a busy machine disturbs both.  Prints the best of each and the ratio.
# ROUNDS (2) and SECONDS_EACH (2) set how long it takes.
set -u
bench=$1 peer=$2 rounds=${ROUNDS:-2} each=${SECONDS_EACH:-2} python=${PYTHON:-python3}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

torch=no
"$python" -c 'import torch' 2>/dev/null && torch=yes
for ((i = 0; i < rounds; i++)); do
	"./$bench" "$each" >>"$scratch/ours" || exit 1
	if [ $torch = yes ]; then
		"$python" "$peer" "$each" >>"$scratch/peer" || exit 1
	fi
done
touch "$scratch/peer"
grep -h '^#' "$scratch/ours" "$scratch/peer" | sort -u
[ $torch = yes ] || echo "# no torch for $python: our figures alone (PYTHON=... names another Python)"
awk '
	/^#/ { next }
	{ file = FILENAME == ARGV[1] ? "ours" : "peer"
	  if (!((file, $1) in best) || $2 < best[file, $1]) best[file, $1] = $2
	  unit[$1] = $3
	  if (file == "ours" && !seen[$1]++) order[++n] = $1 }
	END {
		printf "%-22s %12s %12s %8s\n", "", "psiview", "PyTorch", "ratio"
		for (i = 1; i <= n; i++) {
			k = order[i]
			printf "%-22s %9.3f %s", k, best["ours", k], unit[k]
			if (("peer", k) in best)
				printf " %9.3f %s %7.2fx", best["peer", k], unit[k], best["peer", k] / best["ours", k]
			print ""
		}
	}' "$scratch/ours" "$scratch/peer"
