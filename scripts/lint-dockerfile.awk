# hadolint's rules, as far as they can be told from one instruction a line.
function broken(rule, why) { printf "%s %s: %s\n", rule, why, $0; bad = 1 }

NF == 0 { next }
!started && $1 != "FROM" && $1 != "ARG" { broken("DL3061", "begin with FROM, or ARG before it") }
{ started = 1 }

$1 == "FROM" {
  image = $2
  if (image ~ /^--platform=/) {
    if (image !~ /\$\{?(BUILD|TARGET)PLATFORM/) broken("DL3029", "name no platform but the builder's or the target's")
    image = $3
  }
  user = user_of[image]; workdir = workdir_of[image]; name = $NF
  if (image != "scratch" && !(image in known) && image !~ /[:@]/) broken("DL3006", "tag the version of an image")
  if (image ~ /:latest$/) broken("DL3007", "latest is no version")
  if (tolower($(NF - 1)) == "as" && name in known) broken("DL3024", "a stage of this name exists")
  known[name] = 1; split("", count)
}
$1 ~ /^(CMD|ENTRYPOINT|HEALTHCHECK)$/ && count[$1]++ {
  broken($1 == "CMD" ? "DL4003" : $1 == "ENTRYPOINT" ? "DL4004" : "DL3012", "only the last one counts")
}
$1 == "USER" { user = $2 }
$1 == "WORKDIR" { workdir = $2; if ($2 !~ /^[\/$]/) broken("DL3000", "use an absolute WORKDIR") }
{ user_of[name] = user; workdir_of[name] = workdir }
$1 == "MAINTAINER" { broken("DL4000", "MAINTAINER is deprecated") }
$1 == "ADD" { broken("DL3020", "use COPY for files") }
($1 == "CMD" || $1 == "ENTRYPOINT") && $2 !~ /^\[/ { broken("DL3025", "use the JSON form") }
$1 == "EXPOSE" { for (i = 2; i <= NF; i++) if ($i + 0 < 0 || $i + 0 > 65535) broken("DL3011", "ports are 0 to 65535") }
$1 == "ENV" && match($2, /^[A-Za-z_0-9]+=/) {
  key = substr($2, 1, RLENGTH - 1); rest = substr($0, index($0, "=") + 1)
  if (rest ~ "\\$\\{?" key "([^A-Za-z_0-9]|$)") broken("DL3044", "a variable is not known in its own instruction")
}
$1 == "LABEL" {
  for (i = 2; i <= NF; i++) if ($i ~ /=/ && substr($i, 1, index($i, "=") - 1) !~ /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/)
    broken("DL3048", "a label's key is lower case, digits, dots and hyphens")
}
$1 == "COPY" {
  sources = 0
  for (i = 2; i <= NF; i++) if ($i !~ /^--/) sources++
  if (sources > 2 && $NF !~ /\/$/ && $NF !~ /^\.\.?$/) broken("DL3021", "end the target of several sources with /")
  if ($NF !~ /^\// && workdir == "") broken("DL3045", "a relative target needs a WORKDIR")
  if (match($0, /--from=[a-zA-Z0-9_.:\/-]+/)) {
    from = substr($0, RSTART + 7, RLENGTH - 7)
    if (from == name) broken("DL3023", "a stage cannot COPY from itself")
    if (!(from in known)) broken("DL3022", "COPY from a stage of this file")
  }
}
$1 == "RUN" {
  if (/(^|[ ;&])sudo /) broken("DL3004", "no sudo")
  if (/(^|[ ;&])cd /) broken("DL3003", "use WORKDIR")
  if (/(^|[ ;&])(ssh|vim|shutdown|service|ps|free|top|kill|mount|ifconfig) /) broken("DL3001", "makes no sense in a build")
  if (/dist-upgrade|apt-get upgrade/) broken("DL3005", "take a newer image")
  if (/(^|[ ;&])apt (install|update)/) broken("DL3027", "use apt-get in scripts")
  if (/apt-get install|apk add/) broken("DL3008", "pin packages, or need none")
  if (/pip3? install/ && !/==|-r /) broken("DL3013", "pin packages")
  if (/npm install/ && !/@[0-9]/) broken("DL3016", "pin packages")
  if (/useradd/ && !/ (-l|--no-log-init)/) broken("DL3046", "useradd without -l makes a huge file")
  if (/go (install|run) [^ ]*\.[^ ]*\// && !/@v[0-9]/) broken("DL3062", "pin the version of a Go tool")
  if (/ \| / && !/pipefail/) broken("DL4006", "set pipefail before a pipe")
  if (/ln .*\/bin\/sh/) broken("DL4005", "use SHELL")
  if (/wget /) wget = 1
  if (/curl /) curl = 1
  if (wget && curl) { broken("DL4001", "use one of wget and curl"); wget = curl = 0 }
  if (before == "RUN" && !/--mount/) broken("DL3059", "join consecutive RUNs")
}
{ before = $1 }
END {
  if (user == "" || user ~ /^(root|0)(:|$)/) broken("DL3002", "the last USER must not be root")
  exit bad
}
