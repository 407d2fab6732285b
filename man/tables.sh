#!/bin/sh
# tables.sh LISTS PAGE: print the manual page with everything between
# `.\" begin NAME` and `.\" end NAME` replaced by what `LISTS mdoc NAME` says.
exec awk -v lists="$1" '
	/^\.\\" end / { skip = 0 }
	!skip { print }
	/^\.\\" begin / {
		skip = 1
		command = lists " mdoc " $3
		while ((command | getline line) > 0)
			print line
		if (close(command) != 0)
			exit 1
	}' "$2"
