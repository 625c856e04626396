# SPDX-License-Identifier: BSD-2-Clause
# mcmigd --help-config as man(7), for the settings part of mcmigd.conf.5.
function escape(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	return text
}

/^[a-z]/ {
	name = $0
	section = name ~ /\./ ? substr(name, 1, index(name, ".") - 1) : ""
	if (NR == 1 || section != last) {
		print ".SS " (section == "" ? "Top of the file" : "Section " section)
		last = section
	}
	print ".TP"
	print ".B " escape(section == "" ? name : substr(name, length(section) + 2))
	lines = 0
	next
}

{
	sub(/^\t/, "")
	# The installation's own.
	if (name == "module_directory")
		sub(/default: [^;]*;/, "default: as built;")
	if (lines++ == 0)
		print "(" escape($0) ")"
	else
		print escape($0)
}
