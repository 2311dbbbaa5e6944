#!/usr/bin/env bash
# Makes in a Google Cloud project what releases need. Run again, it changes nothing that is as it should be.
#
#   deploy/project.sh --project ID --repository OWNER/NAME --repository-id NUMBER
#     --repository-id  of the repository on GitHub, which nobody else ever gets: gh api repos/OWNER/NAME --jq .id
#     --region         europe-west1 unless you say another
#     --mlflow         an MLflow server too: PostgreSQL, a bucket, a private service
#     --dry-run        print the commands for a project that is empty, and ask and do nothing
#
# DEPLOYING.md says what all of it is for, what it costs, and how it goes again.
set -euo pipefail

project='' repository='' repository_id='' region=europe-west1 mlflow=false dry_run=false

main() {
  read_options "$@"
  export CLOUDSDK_CORE_PROJECT=$project CLOUDSDK_CORE_DISABLE_PROMPTS=1
  temporary=$(mktemp -d)
  trap 'rm -rf "$temporary"' EXIT
  say "export CLOUDSDK_CORE_PROJECT=$project CLOUDSDK_CORE_DISABLE_PROMPTS=1"
  apis
  accounts
  images
  buckets
  roles
  metrics
  federation
  if $mlflow; then mlflow_server; fi
  what_is_left
}

read_options() {
  while (($#)); do
    case $1 in
      --project | --repository | --repository-id | --region)
        [[ ${2-} ]] || fail "$1 needs a value."
        local name=${1#--}
        printf -v "${name//-/_}" %s "$2"
        shift 2
        ;;
      --mlflow) mlflow=true && shift ;;
      --dry-run) dry_run=true && shift ;;
      *) fail "There is no option $1. The first lines of $0 list them." ;;
    esac
  done
  [[ $project =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] || fail "Say which project, by its id: --project my-project-123."
  [[ $repository =~ ^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$ ]] || fail 'Say which repository on GitHub may release: --repository OWNER/NAME.'
  [[ $repository_id =~ ^[0-9]+$ ]] || fail "Say its number too: --repository-id \"\$(gh api repos/$repository --jq .id)\"."
  [[ $region =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || fail "$region is no region, such as europe-west1."
}

say() { printf '%s\n' "$*"; }

fail() {
  printf 'project.sh: %s\n' "$*" >&2
  exit 1
}

# Print a command and run it.
run() {
  local words
  printf -v words '%q ' "$@"
  say "${words% }"
  if ! $dry_run; then "$@" >/dev/null; fi
}

# Whether something is there; in a dry run nothing is.
have() { ! $dry_run && "$@" >/dev/null 2>&1; }

# Give a role. An account that was made just now is not known everywhere for some seconds.
grant() {
  local left
  for left in 5 4 3 2 1 0; do
    if run "$@"; then return; fi
    ((left)) && sleep 5
  done
  fail 'That role could not be given; Google Cloud says why above. Run this again when it is mended.'
}

account() { say "boxwood-$1@$project.iam.gserviceaccount.com"; }

on_project() { grant gcloud projects add-iam-policy-binding "$project" "--member=serviceAccount:$(account "$1")" "--role=$2" --condition=None; }

on_bucket() { grant gcloud storage buckets add-iam-policy-binding "gs://$1" "--member=serviceAccount:$(account "$2")" "--role=$3"; }

on_account() { grant gcloud iam service-accounts add-iam-policy-binding "$(account "$1")" "--member=$2" "--role=$3"; }

apis() {
  run gcloud services enable artifactregistry.googleapis.com cloudresourcemanager.googleapis.com iam.googleapis.com \
    iamcredentials.googleapis.com monitoring.googleapis.com run.googleapis.com secretmanager.googleapis.com sts.googleapis.com
}

accounts() {
  make_account run 'The services run as this one, which may send metrics'
  make_account build 'Trains, and pushes images'
  make_account deploy 'Moves traffic'
  make_account ask 'Private services are asked as this one before they get traffic'
}

make_account() {
  have gcloud iam service-accounts describe "$(account "$1")" ||
    run gcloud iam service-accounts create "boxwood-$1" "--display-name=$2"
}

# A rollback needs the image of the revision that it goes back to. Signature, bill of materials and provenance count as
# versions too, so these are the last 25 releases or so, and all of the last half year.
images() {
  local where=(boxwood "--location=$region")
  have gcloud artifacts repositories describe "${where[@]}" ||
    run gcloud artifacts repositories create "${where[@]}" --repository-format=docker
  cat >"$temporary/cleanup.json" <<'JSON'
[
  {"name": "keep-the-newest", "action": {"type": "Keep"}, "mostRecentVersions": {"keepCount": 100}},
  {"name": "delete-old", "action": {"type": "Delete"}, "condition": {"olderThan": "180d"}}
]
JSON
  run gcloud artifacts repositories set-cleanup-policies "${where[@]}" "--policy=$temporary/cleanup.json" --no-dry-run
  grant gcloud artifacts repositories add-iam-policy-binding "${where[@]}" \
    "--member=serviceAccount:$(account build)" --role=roles/artifactregistry.writer
  grant gcloud artifacts repositories add-iam-policy-binding "${where[@]}" \
    "--member=serviceAccount:$(account deploy)" --role=roles/artifactregistry.reader
}

buckets() {
  make_bucket "$project-boxwood-releases" --retention-period=400d # the ledger: not even its owner changes an entry
  make_bucket "$project-boxwood-data"
  make_bucket "$project-boxwood-watch" # verdicts, and rows of callers
  on_bucket "$project-boxwood-releases" deploy roles/storage.objectCreator
  on_bucket "$project-boxwood-releases" deploy roles/storage.objectViewer
  on_bucket "$project-boxwood-data" build roles/storage.objectUser
  on_bucket "$project-boxwood-watch" build roles/storage.objectUser
  on_bucket "$project-boxwood-watch" run roles/storage.objectViewer
}

make_bucket() {
  local name=$1
  shift
  have gcloud storage buckets describe "gs://$name" ||
    run gcloud storage buckets create "gs://$name" "--location=$region" \
      --uniform-bucket-level-access --public-access-prevention "$@"
}

roles() {
  on_project deploy roles/run.developer
  on_project deploy roles/monitoring.viewer # a rollout reads what callers met
  on_project run roles/monitoring.metricWriter
  on_project ask roles/run.invoker # on the project, because the services are not there before the first release
  on_account run "serviceAccount:$(account deploy)" roles/iam.serviceAccountUser
  on_account ask "serviceAccount:$(account deploy)" roles/iam.serviceAccountOpenIdTokenCreator
}

# What the collector beside a service sends. A changed file is a new version: gcloud secrets versions add.
metrics() {
  have gcloud secrets describe boxwood-metrics ||
    run gcloud secrets create boxwood-metrics --replication-policy=automatic "--data-file=${BASH_SOURCE[0]%/*}/cloud/metrics.yaml"
  grant gcloud secrets add-iam-policy-binding boxwood-metrics \
    "--member=serviceAccount:$(account run)" --role=roles/secretmanager.secretAccessor
}

# GitHub's workflows of this repository, on main and on tags v*, may become `build`; those that GitHub lets into the
# environments staging, production and rollback may become `deploy`. Nobody else, and there are no keys.
federation() {
  local pool=(github --location=global) provider=(boxwood --workload-identity-pool=github --location=global) do=update-oidc
  have gcloud iam workload-identity-pools describe "${pool[@]}" ||
    run gcloud iam workload-identity-pools create "${pool[@]}"
  have gcloud iam workload-identity-pools providers describe "${provider[@]}" || do=create-oidc
  # by repository and environment, and not by the subject, which GitHub writes in more ways than one
  local mapping="google.subject=assertion.sub,attribute.repository_id=assertion.repository_id"
  mapping+=",attribute.environment=has(assertion.environment) ? assertion.environment : 'none'"
  run gcloud iam workload-identity-pools providers "$do" "${provider[@]}" \
    --issuer-uri=https://token.actions.githubusercontent.com \
    "--attribute-mapping=$mapping" \
    "--attribute-condition=assertion.repository_id == '$repository_id' && (assertion.ref == 'refs/heads/main' || assertion.ref.startsWith('refs/tags/v'))"
  number=PROJECT_NUMBER
  if ! $dry_run; then number=$(gcloud projects describe "$project" --format='value(projectNumber)'); fi
  local identities=iam.googleapis.com/projects/$number/locations/global/workloadIdentityPools/github environment
  on_account build "principalSet://$identities/attribute.repository_id/$repository_id" roles/iam.workloadIdentityUser
  for environment in staging production rollback; do
    on_account deploy "principalSet://$identities/attribute.environment/$environment" roles/iam.workloadIdentityUser
  done
}

mlflow_server() {
  local image bucket=$project-boxwood-mlflow database=$project:$region:boxwood-mlflow where=(boxwood-mlflow "--region=$region") name
  image=$(sed -n 's|.*image: ghcr.io/\(mlflow/\)|\1|p' "${BASH_SOURCE[0]%/*}/compose.yaml") # the one version of it here
  run gcloud services enable sqladmin.googleapis.com
  make_account mlflow 'The MLflow server'
  make_bucket "$bucket"
  on_bucket "$bucket" mlflow roles/storage.objectUser
  on_project mlflow roles/cloudsql.client
  mlflow_database
  have gcloud artifacts repositories describe mirror "--location=$region" ||
    run gcloud artifacts repositories create mirror "--location=$region" --repository-format=docker \
      --mode=remote-repository --remote-docker-repo=https://ghcr.io
  have gcloud run services describe "${where[@]}" ||
    run gcloud run deploy "${where[@]}" "--image=$region-docker.pkg.dev/$project/mirror/$image" \
      "--service-account=$(account mlflow)" --no-allow-unauthenticated --cpu=1 --cpu-boost --memory=2Gi --max-instances=1 --port=5000 \
      --command=mlflow --args=server,--host,0.0.0.0,--port,5000,--workers,1 \
      "--add-cloudsql-instances=$database" --set-secrets=PGPASSWORD=boxwood-mlflow-password:1 \
      "--set-env-vars=MLFLOW_BACKEND_STORE_URI=postgresql+psycopg2://mlflow@/mlflow?host=/cloudsql/$database,MLFLOW_ARTIFACTS_DESTINATION=gs://$bucket,MLFLOW_SERVER_ALLOWED_HOSTS=*.run.app,MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false,MLFLOW_DISABLE_TELEMETRY=true"
  for name in build deploy; do
    grant gcloud run services add-iam-policy-binding "${where[@]}" \
      "--member=serviceAccount:$(account "$name")" --role=roles/run.invoker
  done
}

# Reachable through Google's connector only. Its password goes from one command's output into another's input.
mlflow_database() {
  have gcloud secrets describe boxwood-mlflow-password ||
    run gcloud secrets create boxwood-mlflow-password --replication-policy=automatic --data-file=- \
      < <(openssl rand -hex 24 | tr -d '\n')
  grant gcloud secrets add-iam-policy-binding boxwood-mlflow-password \
    "--member=serviceAccount:$(account mlflow)" --role=roles/secretmanager.secretAccessor
  have gcloud sql instances describe boxwood-mlflow ||
    run gcloud sql instances create boxwood-mlflow --database-version=POSTGRES_17 --edition=enterprise \
      --tier=db-f1-micro "--region=$region" --storage-size=10 --backup-start-time=02:00 --deletion-protection \
      --connector-enforcement=REQUIRED
  have gcloud sql databases describe mlflow --instance=boxwood-mlflow ||
    run gcloud sql databases create mlflow --instance=boxwood-mlflow
  have has_user || run gcloud sql users create mlflow --instance=boxwood-mlflow --flags-file=/dev/stdin < <(password_flag)
}

has_user() { gcloud sql users list --instance=boxwood-mlflow --format='value(name)' | grep -qx mlflow; }

password_flag() {
  if ! $dry_run; then printf -- '--password: "%s"\n' "$(gcloud secrets versions access 1 --secret=boxwood-mlflow-password)"; fi
}

what_is_left() {
  local uri=''
  cat <<TEXT

# What is left to do. The variables of the repository; none of them is secret:
gh variable set GCP_PROJECT --repo $repository --body $project
gh variable set GCP_REGION --repo $repository --body $region
gh variable set GCP_PROVIDER --repo $repository --body projects/$number/locations/global/workloadIdentityPools/github/providers/boxwood
TEXT
  if $mlflow; then
    uri=https://boxwood-mlflow-SOMETHING.run.app
    if ! $dry_run; then uri=$(gcloud run services describe boxwood-mlflow "--region=$region" --format='value(status.url)'); fi
    say "gh variable set MLFLOW_TRACKING_URI --repo $repository --body $uri"
  fi
  cat <<TEXT
# and in deploy/cloudrun.yaml:
#   caller: $(account ask)
#   registry: "$uri"
#   run: {service_account: $(account run), metrics: {config: projects/$project/secrets/boxwood-metrics/versions/1}}
# and once a release serves: python -m deploy --project $project alerts --notify you@example.com
TEXT
}

main "$@"
