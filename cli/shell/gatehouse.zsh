#compdef gatehouse
# zsh completion for gatehouse: source <(gatehouse completion zsh), or as _gatehouse in $fpath

_gatehouse() {
	local -a found
	found=(${(f)"$(gatehouse complete -- "${(@)words[2,CURRENT]}" 2>/dev/null | cut -f 1)"})
	if (( $#found )); then
		compadd -- $found
	else
		_files
	fi
}
if [ "$funcstack[1]" = _gatehouse ]; then
	_gatehouse "$@"
else
	compdef _gatehouse gatehouse
fi
