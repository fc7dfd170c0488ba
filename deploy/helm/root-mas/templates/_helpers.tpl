{{- define "root-mas.name" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | replace (printf "%s-%s" .Chart.Name .Chart.Name) .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "root-mas.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "root-mas.name" .) .Values.serviceAccount.name }}{{- else -}}{{ default "default" .Values.serviceAccount.name }}{{- end -}}
{{- end -}}

{{- define "root-mas.secret" -}}
{{- default (include "root-mas.name" .) .Values.existingSecret -}}
{{- end -}}

{{- define "root-mas.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{- else -}}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{- end -}}
{{- end -}}

{{/* A value as text. Helm reads the numbers of a values file as floats, and a million of them would be 1e+06. */}}
{{- define "root-mas.text" -}}
{{- if kindIs "string" . -}}{{ . | quote }}{{- else -}}{{ . | toJson | quote }}{{- end -}}
{{- end -}}

{{- define "root-mas.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "root-mas.labels" -}}
{{ include "root-mas.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What every pod runs with: nobody's rights on a file system that cannot be changed. */}}
{{- define "root-mas.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1654
runAsGroup: 1654
fsGroup: 1654
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "root-mas.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "root-mas.environment" -}}
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- { name: ROOTMAS_ENVIRONMENT, value: Production }
# Below the volumes' roots, which belong to root: the program makes these itself, for itself alone.
- { name: ROOTMAS_DATA, value: /data/rootmas }
{{- /* A name that stands twice is refused where the server merges what is applied, as Helm 4 has it: what the settings say stands below, but for the folder of the migration's own backup. */}}
{{- $own := default (dict) .Values.settings }}
{{- if or .backupsFolder (not (hasKey $own "Backups__Folder")) }}
- { name: ROOTMAS__Backups__Folder, value: {{ default "/archives/rootmas" .backupsFolder }} }
{{- end }}
{{- if and (or (get $own "Backups__S3__Endpoint") (get $own "Backups__OffsiteFolder")) (not .Values.backups.existingClaim) (not (hasKey $own "Backups__KeepLocal")) }}
- { name: ROOTMAS__Backups__KeepLocal, value: {{ include "root-mas.text" .Values.backups.keepLocal }} }
{{- end }}
- { name: ROOTMAS_URLS, value: "http://0.0.0.0:8000" }
{{- if not (hasKey $own "Database__Kind") }}
- { name: ROOTMAS__Database__Kind, value: postgres }
{{- end }}
{{- range $i, $host := concat .Values.hosts (list (include "root-mas.name" .) "$(POD_IP)") }}
- { name: ROOTMAS__Server__AllowedHosts__{{ $i }}, value: {{ $host | quote }} }
{{- end }}
{{- range $i, $network := .Values.trustedProxies }}
- { name: ROOTMAS__Server__TrustedProxies__{{ $i }}, value: {{ $network | quote }} }
{{- end }}
{{- $secret := include "root-mas.secret" . }}
{{- range $name, $key := dict "ROOTMAS__Database__ConnectionString" "database-url" "ROOTMAS_MASTER_KEY" "master-key" }}
- name: {{ $name }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ $key }} } }
{{- end }}
{{- range $name, $key := dict "ROOTMAS__Redis__ConnectionString" "redis-url" "ROOTMAS__RabbitMq__Uri" "rabbitmq-uri" "ROOTMAS_ADMIN_PASSWORD" "admin-password" "ROOTMAS_BACKUP_KEY" "backup-key" "OPENAI_API_KEY" "openai-api-key" "OPENROUTER_API_KEY" "openrouter-api-key" "ROOTMAS__Backups__S3__KeyId" "s3-key-id" "ROOTMAS__Backups__S3__Secret" "s3-secret" }}
- name: {{ $name }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ $key }}, optional: true } }
{{- end }}
{{- /* Beside a password; whether an existing secret has one is not known here, and a name alone makes nobody. */}}
{{- if or .Values.existingSecret .Values.secrets.adminPassword }}
- { name: ROOTMAS_ADMIN_USERNAME, value: admin }
{{- end }}
{{- range $name, $value := .Values.settings }}
{{- if not (and $.backupsFolder (eq $name "Backups__Folder")) }}
- { name: ROOTMAS__{{ $name }}, value: {{ include "root-mas.text" $value }} }
{{- end }}
{{- end }}
{{- end -}}

{{/* What Prometheus is asked, of this release alone: by the labels that its PodMonitor gives. Without one nobody here knows what they are called. */}}
{{- define "root-mas.query" -}}
{{- if .root.Values.serviceMonitor.enabled -}}
{{- $ours := printf "namespace=%q,release=%q" .root.Release.Namespace .root.Release.Name -}}
{{- regexReplaceAll "(rootmas[_:][a-z0-9_:]+|http_server_[a-z_]+|gen_ai_client_[a-z_]+|\\bup\\b)" .expr (printf "${1}{%s}" $ours) | replace "}{" "," -}}
{{- else -}}
{{- .expr -}}
{{- end -}}
{{- end -}}

{{- define "root-mas.mounts" -}}
- { name: data, mountPath: /data }
- { name: archives, mountPath: /archives }
- { name: tmp, mountPath: /tmp }
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- range $file, $text := .Values.config }}
- { name: config, mountPath: /config/{{ $file }}, subPath: {{ $file }}, readOnly: true }
{{- end }}
{{- end -}}

{{/* The claim in which the backup that a migration makes first is kept; empty: it is in a bucket, or the settings want none. */}}
{{- define "root-mas.backupClaim" -}}
{{- $settings := default (dict) .Values.settings -}}
{{- $volume := .Values.migration.backupVolume -}}
{{- if and .Values.migration.enabled (not (get $settings "Backups__S3__Endpoint")) (ne (get $settings "Backups__BeforeMigration" | toString | lower) "never") -}}
{{- if $volume.enabled -}}
{{- default (printf "%s-backups" (include "root-mas.name" .)) $volume.existingClaim -}}
{{- else if not (hasKey (default (dict) .Values.config) "settings.yaml") -}}
{{- fail "The backup that is made before each migration would be lost with its pod. Set settings.Backups__S3__Endpoint and settings.Backups__S3__Bucket, or leave migration.backupVolume.enabled at true, or set settings.Backups__BeforeMigration to Never to go without (docs/operations.md, Kubernetes)." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The data directory holds nothing that must survive: keys, runs and uploads are in the database. */}}
{{- define "root-mas.volumes" -}}
- { name: data, emptyDir: { sizeLimit: 512Mi } }
{{- if .Values.backups.existingClaim }}
- { name: archives, persistentVolumeClaim: { claimName: {{ .Values.backups.existingClaim }} } }
{{- else }}
- { name: archives, emptyDir: { sizeLimit: {{ .Values.backups.size }} } }
{{- end }}
- { name: tmp, emptyDir: { sizeLimit: 128Mi } }
{{- if .Values.config }}
- { name: config, configMap: { name: {{ include "root-mas.name" . }} } }
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Host names are checked, so the program asks itself: startup, readiness, liveness, none of which needs a key. */}}
{{- define "root-mas.probes" -}}
startupProbe:
  exec: { command: [/app/rootmas, health] }
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: 100
readinessProbe:
  httpGet: { path: /health/ready, port: http, httpHeaders: [{ name: Host, value: localhost }] }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /health/live, port: http, httpHeaders: [{ name: Host, value: localhost }] }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}
