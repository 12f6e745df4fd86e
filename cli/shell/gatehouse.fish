# fish completion for gatehouse: gatehouse completion fish | source

function __gatehouse_complete
    gatehouse complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c gatehouse -f -a '(__gatehouse_complete)'
complete -c gatehouse -n 'test -z "$(__gatehouse_complete)"' -F
