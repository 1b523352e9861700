/** What travellers are sent through, and what must be true of their accounts. */

import assert from "node:assert/strict";

/** Publishes `count` as a backend does, straight to the server. */
async function send(server, channel, what, count = 5) {
  for (let i = 0; i < count; i++) {
    await server.publish(channel, `${what} ${i}`);
  }
}

/**
 * One traveller subscribes, publishes and hears, loses its way as often as `losses` says, each time
 * when `lose` resolves, and must have heard everything. Gives its account.
 */
export async function journey(server, seats, { lose, losses = 0, ...options }) {
  const { channel } = options;
  const traveller = await seats.sit(options);
  try {
    await traveller.subscribed();
    await Promise.all([send(server, channel, "before"), traveller.publish(5)]);
    for (let i = 0; i < losses; i++) {
      const lost = lose(traveller, i);
      await Promise.all([send(server, channel, `on ${i}`), traveller.publish(5, `own ${i}`), lost]);
    }
    const { offset } = await server.publish(channel, "end");
    await traveller.hears("end");
    const account = await traveller.account();
    complete(account, offset);
    return account;
  } finally {
    await traveller.close();
  }
}

/** Everything up to `total` came once and in order, and there was nothing that had to be said. */
export function complete(account, total) {
  const { count, begun, first, last, twice, disorder, lost, unconfirmed, gaps } = account;
  const nothing = { twice: 0, disorder: 0, lost: 0, unconfirmed: 0, gaps: [] };
  assert.deepEqual(
    { count, begun, first, last, twice, disorder, lost, unconfirmed, gaps },
    { count: total, begun: 0, first: 1, last: total, ...nothing },
  );
}
