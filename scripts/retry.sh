# Sourced: retry COMMAND... runs a download up to four times, with a growing pause.
retry() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return 0
    printf 'attempt %s failed: %s\n' "$attempt" "$*" >&2
    sleep $((attempt * attempt * 5))
  done
  "$@"
}
