#!/bin/sh
# Sets up Elasticsearch and Kibana for the logs of Root-MAS: lifecycle, index template, a role and user that may only write, saved views. May be run again.
# ELASTICSEARCH_URL, KIBANA_URL; passwords from files: ELASTIC_PASSWORD_FILE (user elastic), WRITER_PASSWORD_FILE (user rootmas_writer).
set -eu
here=$(dirname "$(readlink -f "$0")")
elasticsearch=${ELASTICSEARCH_URL:-http://elasticsearch:9200}
kibana=${KIBANA_URL:-http://kibana:5601}

# Passwords reach curl by its standard input: arguments are seen by every user of the machine.
ask() {
  method=$1 url=$2
  shift 2
  printf 'user = "elastic:%s"\n' "$(cat "$ELASTIC_PASSWORD_FILE")" |
    curl --config - --silent --show-error --fail-with-body --retry 60 --retry-delay 2 --retry-all-errors --request "$method" "$url" "$@" >/dev/null
}

ask PUT "$elasticsearch/_ilm/policy/rootmas-logs" --header 'Content-Type: application/json' --data "@$here/elasticsearch/ilm-policy.json"
ask PUT "$elasticsearch/_index_template/rootmas-logs" --header 'Content-Type: application/json' --data "@$here/elasticsearch/index-template.json"
ask PUT "$elasticsearch/_security/role/rootmas_writer" --header 'Content-Type: application/json' --data "@$here/elasticsearch/writer-role.json"

body=$(mktemp)
trap 'rm -f "$body"' EXIT
printf '{"password":"%s","roles":["rootmas_writer"]}' "$(cat "$WRITER_PASSWORD_FILE")" >"$body"
ask PUT "$elasticsearch/_security/user/rootmas_writer" --header 'Content-Type: application/json' --data "@$body"
ask POST "$kibana/api/saved_objects/_import?overwrite=true" --header 'kbn-xsrf: true' --form "file=@$here/kibana/views.ndjson"
echo "Elasticsearch and Kibana are set up for the logs of Root-MAS." >&2
