// A backend in Node, with nothing of ours but the protos: records an event, then asks for a slate
// that knows it, and reads the details of an error. Prints what it saw as one line of JSON.
//
//   node client.js PROTOS FEEDBACK_TARGET RANKER_TARGET USER ITEM

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const [protos, feedbackTarget, rankerTarget, userId, itemId] = process.argv.slice(2);

const loaded = grpc.loadPackageDefinition(
  protoLoader.loadSync(
    ['harken/feedback/v1/feedback_service.proto', 'harken/ranker/v1/ranker_service.proto'],
    { includeDirs: [protos], longs: String, enums: String, defaults: true, oneofs: true },
  ),
);

// What errors carry in the trailer grpc-status-details-bin; these three are public and fixed.
const details = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message BadRequest {
    message FieldViolation { string field = 1; string description = 2; }
    repeated FieldViolation field_violations = 1;
  }
`).root;

/** Calls a unary method; rejects with grpc's ServiceError. */
function call(client, method, request) {
  const deadline = new Date(Date.now() + 30_000);
  return new Promise((resolve, reject) => {
    client[method](request, new grpc.Metadata(), { deadline }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

/** Returns the fields that an INVALID_ARGUMENT names. */
function fieldsOf(error) {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const status = details.lookupType('google.rpc.Status').decode(bytes);
  const badRequest = details.lookupType('google.rpc.BadRequest');
  return status.details
    .filter((detail) => detail.typeUrl.endsWith('/google.rpc.BadRequest'))
    .flatMap((detail) => badRequest.decode(detail.value).fieldViolations)
    .map((violation) => violation.field);
}

const credentials = grpc.credentials.createInsecure();
const feedback = new loaded.harken.feedback.v1.FeedbackService(feedbackTarget, credentials);
const ranker = new loaded.harken.ranker.v1.RankerService(rankerTarget, credentials);

const recorded = await call(feedback, 'recordEvents', {
  events: [{ eventId: `node-${userId}`, subject: { userId }, itemId, type: 'play' }],
});
const slate = await call(ranker, 'recommend', {
  subject: { userId },
  count: 100,
  minPosition: recorded.position,
  waitBudget: { seconds: 10 },
  strict: true,
});
const fault = await call(ranker, 'recommend', { subject: { userId }, count: 5000 }).then(
  () => null,
  (error) => ({ code: error.code, fields: fieldsOf(error) }),
);
console.log(
  JSON.stringify({
    outcome: recorded.results[0].outcome,
    stale: slate.stale,
    items: slate.slots.map((slot) => slot.itemId),
    reason: slate.slots[0].reason.code,
    fault,
  }),
);
feedback.close();
ranker.close();
