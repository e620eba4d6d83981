{{/* The container of a server: {root, component}. */}}
{{- define "parlor.server" -}}
{{- $values := .root.Values -}}
{{- $scheme := include "parlor.scheme" .root -}}
name: parlor
image: {{ include "parlor.image" .root }}
imagePullPolicy: {{ $values.image.pullPolicy }}
ports:
  - name: {{ $scheme }}
    containerPort: 8080
env: {{- include "parlor.serverEnv" . | nindent 2 }}
{{- with $values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
startupProbe:
  httpGet: &live { path: /healthz, port: {{ $scheme }}, scheme: {{ $scheme | upper }} }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: *live
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: {{ $scheme }}, scheme: {{ $scheme | upper }} }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
lifecycle:
  preStop:
    exec:
      command: [sleep, {{ $values.preStopSeconds | quote }}]
resources: {{- toYaml $values.resources | nindent 2 }}
securityContext: {{- include "parlor.containerSecurity" . | nindent 2 }}
volumeMounts:
  - { name: tmp, mountPath: /tmp }
  - { name: data, mountPath: /data }
  {{- if $values.signingKey.existingSecret }}
  - { name: signing-key, mountPath: /run/secrets/parlor, readOnly: true }
  {{- end }}
  {{- if $values.tls.existingSecret }}
  - { name: tls, mountPath: /run/secrets/tls, readOnly: true }
  {{- end }}
{{- end }}

{{- define "parlor.serverEnv" -}}
{{- $values := .root.Values -}}
{{- if .component.store }}
{{ include "parlor.databaseEnv" .root }}
{{- end }}
{{ include "parlor.secretVariable" (dict "root" .root "variable" "REDIS_URL" "key" $values.secretKeys.redisUrl) }}
- name: PARLOR_DRAIN_TIME
  value: {{ printf "%vs" $values.drainSeconds | quote }}
- name: PARLOR_METRICS
  value: {{ $values.metrics.enabled | ternary "all" "off" | quote }}
- name: PARLOR_LOG_FORMAT
  value: json
{{- include "parlor.configEnv" .root }}
{{- if $values.signingKey.existingSecret }}
- name: PARLOR_SIGNING_KEY_FILE
  value: /run/secrets/parlor/{{ $values.signingKey.key }}
{{- end }}
{{- if $values.tls.existingSecret }}
- name: PARLOR_TLS_CERT_FILE
  value: /run/secrets/tls/tls.crt
- name: PARLOR_TLS_KEY_FILE
  value: /run/secrets/tls/tls.key
{{- end }}
{{- if eq $values.services.mode "apart" }}
{{ include "parlor.apartEnv" . }}
{{- end }}
{{- end }}

{{/* What a process hosts, where the rest is, and by what they know each other. Clients' certificates mean nothing at the door. */}}
{{- define "parlor.apartEnv" -}}
{{- $values := .root.Values -}}
{{- if eq $values.services.trust "token" }}
{{ include "parlor.secretVariable" (dict "root" .root "variable" "PARLOR_SERVICE_TOKEN" "key" $values.secretKeys.serviceToken) }}
{{- else if not .component.door }}
- name: PARLOR_TLS_CLIENT_CA_FILE
  value: /run/secrets/tls/{{ $values.tls.caKey }}
{{- end }}
{{- if $values.tls.existingSecret }}
- name: PARLOR_SERVICE_CA_FILE
  value: /run/secrets/tls/{{ $values.tls.caKey }}
{{- end }}
- name: PARLOR_SERVICES
  value: {{ .component.services | quote }}
{{- $service := printf "%s://%s" (include "parlor.scheme" .root) (include "parlor.fullname" .root) }}
{{- range .component.needs }}
- name: PARLOR_{{ upper . }}_URL
  value: {{ printf "%s-%s:8080" $service (eq . "messages" | ternary "rooms" .) }}
{{- end }}
{{- end }}
