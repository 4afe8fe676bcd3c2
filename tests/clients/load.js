// Load on the loop, for k6: each iteration records an event of a user and asks for a slate that
// knows it. `k6 run tests/clients/load.js` from the repository, with these variables:
//
//   FEEDBACK, RANKER  targets, host:port; default 127.0.0.1:7401 and 127.0.0.1:7403 (`harken up`)
//   TLS=1             through the edge: both are its address
//   RATE              iterations a second, default 50
//   DURATION          default 30s
//   EVENT_TYPE        default play; one that the preset knows
//   P95_MS            bound on p95 of each call in ms, default 100

import grpc from 'k6/net/grpc';
import exec from 'k6/execution';
import { check, fail } from 'k6';

const FEEDBACK = __ENV.FEEDBACK || '127.0.0.1:7401';
const RANKER = __ENV.RANKER || '127.0.0.1:7403';
const RATE = Number(__ENV.RATE || 50);
const P95 = `p(95)<${__ENV.P95_MS || 100}`;
const PARALLEL = Math.max(30, RATE);

export const options = {
  scenarios: {
    loop: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: __ENV.DURATION || '30s',
      preAllocatedVUs: PARALLEL,
      maxVUs: 2 * PARALLEL,
    },
  },
  thresholds: {
    checks: ['rate==1'],
    'grpc_req_duration{rpc:RecordEvents}': [P95],
    'grpc_req_duration{rpc:Recommend}': [P95],
    dropped_iterations: ['count==0'],
  },
};

const feedback = new grpc.Client();
const ranker = new grpc.Client();
const protos = __ENV.PROTOS || '../../protos';
feedback.load([protos], 'harken/feedback/v1/feedback_service.proto');
ranker.load([protos], 'harken/ranker/v1/ranker_service.proto');

let connected = false;

function call(client, service, rpc, request) {
  return client.invoke(`${service}/${rpc}`, request, { timeout: '10s', tags: { rpc } });
}

/** Returns some items of the catalogue. */
export function setup() {
  ranker.connect(RANKER, { plaintext: !__ENV.TLS });
  const answer = ranker.invoke('harken.ranker.v1.RankerService/Recommend', {
    subject: { userId: 'k6-first' },
    count: 200,
    preview: true,
  });
  ranker.close();
  if (answer.status !== grpc.StatusOK || answer.message.slots.length === 0) {
    fail(`no items to load with: ${JSON.stringify(answer.error || answer.message)}`);
  }
  return answer.message.slots.map((slot) => slot.itemId);
}

export default function (items) {
  if (!connected) {
    feedback.connect(FEEDBACK, { plaintext: !__ENV.TLS });
    ranker.connect(RANKER, { plaintext: !__ENV.TLS });
    connected = true;
  }
  const number = exec.scenario.iterationInTest;
  const userId = `k6-user-${number % 1000}`;
  const recorded = call(
    feedback,
    'harken.feedback.v1.FeedbackService',
    'RecordEvents',
    {
      events: [
        {
          eventId: `k6-${Date.now()}-${number}`,
          subject: { userId },
          itemId: items[number % items.length],
          type: __ENV.EVENT_TYPE || 'play',
        },
      ],
    },
  );
  const accepted = check(recorded, {
    'event accepted': (answer) =>
      answer.status === grpc.StatusOK &&
      answer.message.results[0].outcome === 'EVENT_OUTCOME_ACCEPTED',
  });
  if (!accepted) {
    return;
  }
  const slate = call(
    ranker,
    'harken.ranker.v1.RankerService',
    'Recommend',
    { subject: { userId }, count: 10, minPosition: recorded.message.position, waitBudget: '5s' },
  );
  check(slate, {
    'slate served': (answer) => answer.status === grpc.StatusOK && answer.message.slots.length > 0,
    'slate knows the event': (answer) => answer.status === grpc.StatusOK && !answer.message.stale,
  });
}
