#compdef pollux
# Completion of pollux for zsh: commands, their flags as `pollux COMMAND --help` has them, and paths.

_pollux() {
    local -a names commands flags match mbegin mend
    local program=${words[1]} command=respond name line spec value action
    names=(respond files proxy healthcheck run check config fmt reload)

    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        for name in $names; do
            line=${${(f)"$($program $name --help 2>/dev/null)"}[1]}
            commands+=("$name:${line##*   }")
        done
        _describe -t commands command commands
        return
    fi
    if (( ${names[(Ie)$words[2]]} )); then
        command=$words[2]
        shift words
        (( CURRENT-- ))
    fi

    # "  -l, --listen ADDR   text", "      --hsts[=SECONDS]  text".
    for line in ${(f)"$($program $command --help 2>/dev/null)"}; do
        [[ $line =~ "^  (-(.), |    )--([a-z0-9-]+)([[]=([A-Z]+)[]]| ('[^']*'|[^ ]+))?  +(.*)\$" ]] || continue
        name=$match[3] value=$match[5]$match[6]
        spec="[${${match[7]//\[/(}//\]/)}]"
        case $value in
        FILE | PATH) action=_files ;;
        DIR) action='_files -/' ;;
        *) action=' ' ;;
        esac
        [[ $name != user ]] || action=_users
        case $match[4] in
        '') ;;
        '[='*) spec="=-$spec::${value//:/\\:}:$action" ;;
        *) spec="=$spec:${value//:/\\:}:$action" ;;
        esac
        flags+=("*--$name$spec")
        [[ -z $match[2] ]] || flags+=("*-$match[2]${spec#=}")
    done
    case $command in
    files) flags+=('1:folder:_files -/') ;;
    fmt) flags+=('1:file:_files') ;;
    *) flags+=('*: : ') ;;
    esac
    _arguments -S $flags
}

_pollux "$@"
