# What a release is made of: the targets of the workflows, which a person can run too. Included by ../Makefile.
EXPORTED := stores/boxwood.bento
SAVED := stores/image.tar.gz
# as they are, whatever is in them
override export TO := $(value TO)
override export WHY := $(value WHY)
override export CONFIG := $(or $(value CONFIG),deploy/cloudrun.yaml)

.PHONY: bento-export bento-import learn retrain keys image-save registry-login image-push image-sign image-verify \
        rollout rollback status summary

bento-export: bento ## write the Bento with its model to a file, for another machine
	@rm -f $(EXPORTED)
	@bentoml export $$(cat $(BENTO)) "$(CURDIR)/$(EXPORTED)" # absolute, or BentoML looks below /

bento-import: $(DEV)/.ready ## take it from there
	@mkdir -p $(dir $(BENTO))
	@bentoml import "$(CURDIR)/$(EXPORTED)" | sed -n 's/^Bento(tag="\(.*\)") imported.*/\1/p' > $(BENTO)
	@[ -s $(BENTO) ] || { echo 'bento-import: $(EXPORTED) was not taken; BentoML says why above.' >&2; exit 1; }

learn: $(DEV)/.ready scm ## what takes long of a retraining and needs no registry
	@python -m monitoring retrain "$$PROBLEM" --data="$$DATA" --scheduled --learn

retrain: $(DEV)/.ready scm ## retrain on DATA and labelled rows, and say whether there is a new champion: promoted=true for workflows
	@champion() { python -m training registry champion "$$PROBLEM"; }; \
	before=$$(champion); python -m monitoring retrain "$$PROBLEM" --data="$$DATA" $(or $(ARGS),--scheduled); after=$$(champion); \
	[ "$$before" = "$$after" ] && promoted=false || promoted=true; \
	echo "promoted=$$promoted" >> "$${GITHUB_OUTPUT:-/dev/stdout}"; \
	{ echo '```'; [ ! -e "data/$$PROBLEM/metrics.json" ] || python -m training report "$$PROBLEM"; python -m training registry list "$$PROBLEM"; python -m monitoring runs "$$PROBLEM"; echo '```'; } \
	  >> "$${GITHUB_STEP_SUMMARY:-/dev/stdout}"

keys: ## the DVC remote's keys from the secret DVC_SECRET, as a file that only you read
	@[ -z "$$DVC_SECRET" ] || { umask 077; gcloud secrets versions access latest --secret "$$DVC_SECRET" \
	  --out-file "$${AWS_SHARED_CREDENTIALS_FILE:?names the file}"; }

image-save:
	@docker save $(IMAGE) | gzip -1 > $(SAVED)

registry-login:
	@image=$(IMAGE); gcloud auth print-access-token | \
	  docker login --username oauth2accesstoken --password-stdin "https://$${image%%/*}"

image-push: ## push the image that `image-save` kept, and say its digest
	@docker load --quiet --input $(SAVED)
	@docker push --quiet $(IMAGE)
	@pushed=$$(docker image inspect --format '{{index .RepoDigests 0}}' $(IMAGE)); \
	printf 'name=%s\ndigest=%s\n' "$${pushed%@*}" "$${pushed#*@}" >> "$${GITHUB_OUTPUT:-/dev/stdout}"; \
	echo "Pushed \`$$pushed\`" >> "$${GITHUB_STEP_SUMMARY:-/dev/stdout}"

image-sign: ## sign IMAGE@sha256:… and its bill of materials, as the workflow that this is
	@cosign sign --yes $(IMAGE)
	@cosign attest --yes --type spdxjson --predicate stores/sbom.spdx.json $(IMAGE)

image-verify: ## see that IMAGE@sha256:… was signed by this repository's release workflow
	@cosign verify --output text $(IMAGE) --certificate-oidc-issuer https://token.actions.githubusercontent.com \
	  --certificate-identity-regexp "^https://github.com/$${GITHUB_REPOSITORY//./\\.}/\.github/workflows/release\.yml@refs/(heads/main|tags/v.*)$$" >/dev/null

rollout: $(DEV)/.ready ## give IMAGE=…@sha256:… of this Bento the traffic on Cloud Run, step by step: CONFIG=deploy/staging.yaml
	@python -m deploy --config "$$CONFIG" rollout $(IMAGE) --bento $$(cat $(BENTO))

rollback: $(DEV)/.ready ## give all traffic back at once: TO=revision-or-image WHY=sentence
	@python -m deploy --config "$$CONFIG" rollback --to="$$TO" --why="$$WHY"

status: $(DEV)/.ready ## what Cloud Run serves
	@python -m deploy --config "$$CONFIG" status

summary: $(DEV)/.ready
	@{ echo '```'; python -m deploy --config "$$CONFIG" status; echo '```'; } >> "$${GITHUB_STEP_SUMMARY:-/dev/stdout}"
