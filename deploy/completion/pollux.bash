# Completion of pollux for bash: commands, their flags as `pollux COMMAND --help` has them, and paths.

_pollux() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=respond help flag
    case ${COMP_WORDS[1]} in
    respond | files | proxy | healthcheck | run | check | config | fmt | reload) command=${COMP_WORDS[1]} ;;
    esac
    COMPREPLY=()
    help=$("${COMP_WORDS[0]}" "$command" --help 2>/dev/null) || return 0

    # "--flag=value" comes as three words.
    if [[ $word == "=" ]]; then
        word=""
    elif [[ $before == "=" ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [[ $before == -* ]]; then
        flag=$(grep -oE -- "(^|[ ,])${before}(, --[a-z0-9-]+)?(\[=| )[A-Z]+" <<<"$help" | head -n 1)
        case ${flag##*[!A-Z]} in
        FILE | PATH | DIR)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return 0
            ;;
        NAME) [[ $before != --user ]] || mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
        esac
        [[ -z $flag || $flag == *"[="* ]] || return 0
    fi
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '--[a-z0-9-]+' <<<"$help" | sort -u)" -- "$word")
    elif [[ $COMP_CWORD == 1 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "respond files proxy healthcheck run check config fmt reload" -- "$word")
    elif [[ $command == files ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
    fi
}

complete -o filenames -F _pollux pollux
