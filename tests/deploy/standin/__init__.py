"""A local stand-in for Cloud Run: its Admin API (v2, gRPC), and services that are real processes.

    with StandIn(images={"europe-docker.pkg.dev/p/boxwood/boxwood@sha256:…": bento(source)}) as cloud:
        channel = grpc.insecure_channel(cloud.address)
        client = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))

What it holds clients to, from Google's documentation and from what users of the API reported:
- etags (ABORTED), percentages that sum to 100, unique tags, revision names that begin with the service's and keep one
  configuration (ALREADY_EXISTS), NOT_FOUND. An unchanged template makes no revision; a changed one without a name gets
  one that is made up. Traffic to a revision that does not exist ends the operation with an error, not the call.
- Operations are pending for a while. A revision is started whatever traffic it has and must pass its startup probe. If
  it does not, the operation and the service's condition fail, and what served goes on serving. They fail again for
  every update that leaves that template as it is, although its traffic is set: the condition is about both.
- One process a revision, while a traffic target names it. One that loses its last target loses its traffic first, ends
  its requests in flight, and then gets SIGTERM, and SIGKILL ten seconds later.
- Of revisions neither the latest nor those that a target names can be deleted.
- A service's URL splits by percent, request by request (evenly: the shares are exact over a hundred requests), and each
  tag has a URL of its own.
- Several containers a revision, of which exactly one has a port. Only that one's process is run.
- Cloud Monitoring's API (v3, REST) counts the requests to all of a revision's addresses, in intervals that can be asked
  for some time after their end (`monitoring.delay`), and keeps policies, checks, channels and objectives as documents.

What it does not model: scaling (minimum instances and concurrency are taken and change nothing), restarts of what dies,
secrets and volumes, authentication (policies are kept and not enforced), TLS, quotas, WebSockets, what runs beside a
service. A service that changes between HTTP and gRPC keeps the proxy that it had. Whether Cloud Run changes an etag
with every status is not documented; here only updates do.
"""

from tests.deploy.standin.cloud import StandIn
from tests.deploy.standin.faults import How, NetworkFault
from tests.deploy.standin.images import Image, bento
from tests.deploy.standin.record import Call, Event

__all__ = ["Call", "Event", "How", "Image", "NetworkFault", "StandIn", "bento"]
