# bash completion for gatehouse: source <(gatehouse completion bash)

_gatehouse() {
	local IFS=$'\n'
	COMPREPLY=($(gatehouse complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1))
}
complete -o default -F _gatehouse gatehouse
