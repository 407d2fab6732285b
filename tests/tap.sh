# tap.sh: TAP for shell tests; sourced.  $scratch is a directory that goes
# away at the end.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
count=0 bad=0

# report NAME FILE: a test point that holds if FILE is empty; its lines tell
# what is wrong.
report()
{
	count=$((count + 1))
	if [ -s "$2" ]; then
		bad=$((bad + 1))
		echo "not ok $count - $1"
		sed 's/^/# /' "$2" | head -n 40
	else
		echo "ok $count - $1"
	fi
}

# skip NAME WHY: a test point that cannot be run here.
skip()
{
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

# finish: the plan, and the status of the script.
finish()
{
	echo "1..$count"
	[ "$bad" -eq 0 ]
}
