# Completion of pollux for fish: commands, their flags as `pollux COMMAND --help` has them, and paths.

set -g __pollux_names respond files proxy healthcheck run check config fmt reload

function __pollux_command
    set -l words (commandline -opc)
    if contains -- "$words[2]" $__pollux_names
        echo $words[2]
    else
        echo respond
    end
end

function __pollux_help
    set -l words (commandline -opc)
    type -q -- $words[1]; or return
    eval (string escape -- $words[1]) (__pollux_command) --help 2>/dev/null
end

function __pollux_commands
    set -l words (commandline -opc)
    type -q -- $words[1]; or return
    for name in $__pollux_names
        set -l usage (eval (string escape -- $words[1]) $name --help 2>/dev/null)
        printf '%s\t%s\n' $name (string replace -r '.*   ' '' -- $usage[1])
    end
end

# "  -l, --listen ADDR   text" is "--listen", a tab and the text.
function __pollux_flags
    __pollux_help | string replace -rf "^  (?:-., |    )(--[a-z0-9-]+)(?:\[=[A-Z]+\]| '[^']*'| [^ ]+)?  +(.*)\$" '$1\t$2'
end

# What the help calls the value of the flag before the cursor: FILE, say; nothing where it takes none.
function __pollux_value
    set -l words (commandline -opc)
    string match -q -- '-*' $words[-1]; or return
    __pollux_help | string replace -rf "^  (?:-., |    )--[a-z0-9-]+ ([A-Z]+).*" '$0' |
        string match -r -- "(?:^  |, |    )"(string escape --style=regex -- $words[-1])"(?:, --[a-z0-9-]+)? ([A-Z]+)" |
        tail -n 1
end

function __pollux_is_value
    test -n "$(__pollux_value)"
end

complete -c pollux -f
complete -c pollux -n 'test (count (commandline -opc)) -eq 1' -a '(__pollux_commands)'
complete -c pollux -n 'not __pollux_is_value; and string match -q -- "-*" (commandline -ct)' -a '(__pollux_flags)'
complete -c pollux -n 'contains -- (__pollux_value) FILE PATH' -F
complete -c pollux -n 'contains -- (__pollux_value) DIR; or begin; not __pollux_is_value; and test (__pollux_command) = files; end' \
    -a '(__fish_complete_directories (commandline -ct))'
complete -c pollux -n 'not __pollux_is_value; and test (__pollux_command) = fmt' -F
