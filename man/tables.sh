#!/bin/sh
# tables.sh LISTS FORMAT FILE: print FILE with everything between its lines
# `begin NAME` and `end NAME` (comments) replaced by what `LISTS FORMAT NAME`
# says: the tables of the manual, the words of the completions.
exec awk -v lists="$1 $2" '
	/^(\.\\"|#) end / { skip = 0 }
	!skip { print }
	/^(\.\\"|#) begin / {
		skip = 1
		command = lists " " $3
		while ((command | getline line) > 0)
			print line
		if (close(command) != 0)
			exit 1
	}' "$3"
