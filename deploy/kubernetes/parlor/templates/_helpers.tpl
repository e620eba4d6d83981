{{- define "parlor.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "parlor.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "parlor.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "parlor.fullname" .) }}
{{- end }}

{{- define "parlor.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "parlor.labels" -}}
{{ include "parlor.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/*
The Deployments: what each hosts, which services elsewhere it calls, how many pods it has, whether it works with the database, and
whether the world comes to it. The door's Service has the name of the release; the Services of others are known to each other alone.
*/}}
{{- define "parlor.components" -}}
{{- $door := .Values.replicas -}}
{{- $of := .Values.replicasOf -}}
{{- if eq .Values.services.mode "apart" -}}
- { name: gateway, suffix: -gateway, door: true, store: false, replicas: {{ $door }}, services: gateway, needs: [auth, users, rooms, messages, realtime] }
- { name: auth, suffix: -auth, door: false, store: true, replicas: {{ $of.auth }}, services: auth, needs: [] }
- { name: users, suffix: -users, door: false, store: true, replicas: {{ $of.users }}, services: users, needs: [] }
- { name: rooms, suffix: -rooms, door: false, store: true, replicas: {{ $of.rooms }}, services: "rooms,messages", needs: [] }
- { name: realtime, suffix: -realtime, door: false, store: true, replicas: {{ $of.realtime }}, services: realtime, needs: [users, messages] }
{{- else -}}
- { name: server, suffix: "", door: true, store: true, replicas: {{ $door }}, services: all, needs: [] }
{{- end }}
{{- end }}

{{/* How pods are reached, and by whom: http, or https with a certificate of theirs. */}}
{{- define "parlor.scheme" -}}
{{ if .Values.tls.existingSecret }}https{{ else }}http{{ end }}
{{- end }}

{{/* A variable out of the Secret. */}}
{{- define "parlor.secretVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ required "existingSecret: name a Secret with DATABASE_URL and REDIS_URL" .root.Values.existingSecret }}
      key: {{ .key }}
{{- end }}

{{/* Where the database is. */}}
{{- define "parlor.databaseEnv" -}}
{{ include "parlor.secretVariable" (dict "root" . "variable" "DATABASE_URL" "key" .Values.secretKeys.databaseUrl) }}
{{- end }}

{{/* Settings from the values. */}}
{{- define "parlor.configEnv" -}}
{{- range $name, $value := .Values.config }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "parlor.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "parlor.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "parlor.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
