/** Bugs that are put into the product on purpose. */
export interface Edit {
  /** A compiled file of the product, from `packages/`. */
  readonly file: string
  /** Replaced wherever it stands; it must stand somewhere. */
  readonly find: string
  readonly replace: string
}

/** A bug, put into the product on purpose. */
export interface Mutation {
  readonly name: string
  /** What goes wrong, in the words of who would have made the mistake. */
  readonly what: string
  readonly edits: readonly Edit[]
  /** The seeds within which some checker must notice. */
  readonly within: number
  /** Default: regions alone. Worlds with apps in them, or of users who log in. */
  readonly worlds?: 'regions' | 'clients' | 'logins'
}

/** A bug of one edit. */
export const mutation = (
  name: string,
  what: string,
  file: string,
  find: string,
  replace: string,
  within: number,
): Mutation => ({ name, what, edits: [{ file, find, replace }], within })

/** One bug at a time, and a checker must see each: a simulator that finds nothing has to prove that it could. */
export const MUTATIONS: readonly Mutation[] = [
  mutation(
    'ack-before-commit',
    'what a peer sent is acknowledged before it is on the disk',
    'replica/dist/inbound.js',
    'Promise.all(writes).then(written, failed);',
    'written(), Promise.all(writes).catch(failed);',
    400,
  ),
  mutation(
    'claim-without-needs',
    'a feed is claimed although what the sender left out has not come',
    'replica/dist/inbound.js',
    'Math.max(progress.through(feed), assumed.get(feed) ?? 0) < through',
    'false',
    600,
  ),
  mutation(
    'one-link-after-the-other',
    'claims of different links are not settled together',
    'replica/dist/inbound.js',
    'assume(inbound.feed, through);',
    ';',
    400,
  ),
  mutation(
    'reuse-an-actor',
    'an incarnation goes on under the feed and the actor of the one before',
    'store/dist/store-parts.js',
    "const actor = Buffer.from(random.bytes(16)).toString('hex');",
    "const actor = recovered.incarnation?.actor ?? Buffer.from(random.bytes(16)).toString('hex');",
    50,
  ),
  mutation(
    'reuse-a-number',
    'an actor numbers on where its own changes were lost',
    'replica/dist/actors.js',
    'latest === undefined || latest === this.#burnt.get(key) ? this.mint() : latest',
    "latest === undefined ? this.#incarnation + '0'.repeat(16) : latest",
    400,
  ),
  mutation(
    'drop-an-end-in-the-join',
    'of an end and a live copy, the live copy wins',
    'core/dist/record-join.js',
    "if (b.kind === 'ended')",
    "if (b.kind === 'ended') return a; if (b.kind === 'ended')",
    50,
  ),
  mutation(
    'purge-tombstones-early',
    'a tombstone goes a grace after the end, not after the last stale copy can live',
    'core/dist/record.js',
    ': record.end.horizon;',
    ': record.end.stamp.time;',
    600,
  ),
  mutation(
    'ignore-the-limit',
    'a session lives as long as it is used',
    'core/dist/record.js',
    'Math.min(lease.deadline, limit.deadline)',
    'lease.deadline',
    50,
  ),
  mutation(
    'ignore-the-deadline-at-read',
    'a session shows until it is purged',
    'replica/dist/commits.js',
    "entry?.state === 'held' && isVisible(entry.record, now)",
    "entry?.state === 'held' && entry.record.kind === 'live'",
    50,
  ),
  mutation(
    'purge-without-grace',
    'what expired by the clock here is removed at once',
    'replica/dist/reaper.js',
    'const purgeAt = dueAt(record) + purgeGraceMs;',
    'const purgeAt = dueAt(record) - 3000;',
    400,
  ),
  mutation(
    'later-lease-loses',
    'of two renewals the earlier one counts',
    'core/dist/lifetime.js',
    'compareStamps(a.stamp, b.stamp) >= 0 ? a : b',
    'compareStamps(a.stamp, b.stamp) < 0 ? a : b',
    50,
  ),
  mutation(
    'forget-to-relay',
    'commits of others are not passed on to who cannot hear them',
    'replica/dist/outbound.js',
    'if (!peer.linked.has(origin.feed))',
    'if (false)',
    200,
  ),
  {
    name: 'count-an-ack-twice',
    what: 'two acknowledgements of one region make a quorum',
    edits: [
      {
        file: 'core/dist/quorum.js',
        find: 'tally.answered.includes(region)\n    ? tally\n    : { ...tally, answered',
        replace: 'false\n    ? tally\n    : { ...tally, answered',
      },
      // Two guards keep it from happening; both must fall.
      {
        file: 'replica/dist/write-quorum.js',
        find: 'if (through <= (this.#acked.get(region) ?? 0))',
        replace: 'if (false)',
      },
      {
        file: 'replica/dist/replication-progress.js',
        find: 'if (!raise(known.vector, feed, through))\n            return false;',
        replace: 'raise(known.vector, feed, through);',
      },
    ],
    within: 600,
  },
  mutation(
    'a-majority-of-half',
    'half of the regions are a majority',
    'core/dist/quorum.js',
    'return Math.floor(members / 2) + 1;',
    'return Math.max(1, Math.floor(members / 2));',
    100,
  ),
  mutation(
    'a-silent-region-counts',
    'a region that went down counts as one that answered a read',
    'replica/dist/quorum-reads.js',
    'this.#count(request, question, fail(question.tally, region));',
    'this.#count(request, question, answer(question.tally, region));',
    600,
  ),
  mutation(
    'keep-the-old-place-in-the-feed',
    'a record that is committed again keeps its old place in the feed',
    'store/dist/index/session-index.js',
    'this.#order.remove(slot);\n        }\n        this.#order.append(slot);',
    'this.kept = slot; } if (this.kept !== slot) this.#order.append(slot); this.kept = -1;',
    100,
  ),
  mutation(
    'name-an-origin-of-a-merge',
    'a record that merges two sources passes for one of them',
    'store/dist/record-store.js',
    'return previous?.feed === origin.feed ? origin : undefined;',
    'return origin;',
    600,
  ),
  mutation(
    'forget-what-was-lost',
    'a peer believes to hold of a crashed region what that region has lost',
    'core/dist/vector.js',
    'Math.min(heldThrough(vector, ancestor.feed), ancestor.through)',
    'heldThrough(vector, ancestor.feed)',
    600,
  ),
  mutation(
    'keep-what-the-disk-refused',
    'a write that failed stays in memory',
    'store/dist/record-reader.js',
    'failed({ key }) {\n        this.#pending.delete(key);',
    'failed({ key }) { return;',
    400,
  ),
  mutation(
    'replace-the-whole-session',
    'an update writes everything that it read, not what it changed',
    'replica/dist/replica.js',
    'diff(options.base ?? data, next,',
    'diff(data, next,',
    200,
  ),
  mutation(
    'mix-users-who-disagree',
    'maps that were made at one time show as one, also where they disagree',
    'core/dist/document/live.js',
    'if (other !== undefined && !makingsAgree(made, other))',
    'if (false)',
    200,
  ),
  mutation(
    'show-one-cart',
    'of maps that were made at one time where there was nothing, the last one shows alone',
    'core/dist/document/shown.js',
    'if (live.length === 1 || !top.value.isFresh)',
    'if (true)',
    200,
  ),
  mutation(
    'change-the-object-in-place',
    'who assigns an object changes the one that is there',
    'core/dist/document/diff.js',
    '!isAssigned?.(value, old, at)',
    'true',
    100,
  ),
  {
    name: 'edit-whatever-object-is-there',
    what: 'an edit is made in the object that is in its place now, not in the one that was read',
    edits: [
      {
        file: 'core/dist/document/mutate.js',
        find: 'if (within && !objects.some(',
        replace: 'if (false && !objects.some(',
      },
      {
        file: 'core/dist/document-splice.js',
        find: 'if (edit.within && !(obj && edit.within(obj)))',
        replace: 'if (false)',
      },
    ],
    within: 200,
  },
  {
    name: 'increments-assign',
    what: 'an increment of a field in another region is taken for the same one',
    edits: [
      {
        file: 'core/dist/document/fold-draft.js',
        find: 'const sum = (increments.get(actor) ?? 0) + by;',
        replace: 'const sum = by;',
      },
      {
        file: 'core/dist/document-splice.js',
        find: 'added.set(place, (added.get(place) ?? 0) + by);',
        replace: 'added.set(place, by);',
      },
    ],
    within: 50,
  },
  mutation(
    'set-on-the-bytes-in-another-name',
    'what is set on the bytes of a record names the first actor that the record knows',
    'core/dist/document-splice.js',
    'patch.uint(place).uint(startOp + index);',
    'patch.uint(0).uint(startOp + index);',
    100,
  ),
  {
    name: 'concurrent-on-the-bytes',
    what: 'a change that is concurrent with others is made on the bytes as if it had seen them',
    edits: [
      {
        file: 'core/dist/document-splice.js',
        find: 'change.startOp === maxOpOf(actors) + 1 &&',
        replace: '',
      },
      {
        file: 'core/dist/document-splice.js',
        find: 'change.deps.length === heads.length &&',
        replace: '',
      },
      {
        file: 'core/dist/document-splice.js',
        find: 'change.deps.every((dep, index) => dep === heads[index].hash) &&',
        replace: '',
      },
    ],
    within: 200,
  },
  mutation(
    'a-purged-row-stays',
    'the row of a record is left when the record is purged',
    'store/dist/record-store.js',
    'this.#index.remove(key);\n                this.#parts.checkpoint.put(key, undefined);',
    'this.#index.remove(key);',
    100,
  ),
  mutation(
    'drop-the-journal-before-its-rows',
    'the journal is dropped when a checkpoint begins, not when its rows are written',
    'store/dist/checkpoint.js',
    'const keys = [...this.#unchecked.keys()];',
    'const keys = [...this.#unchecked.keys()]; await into.write([{ type: "put", key: STATE_KEY, value: encodeState(state(through)) }], true); await journal.drop(through);',
    400,
  ),
  mutation(
    'forget-what-changed-during-a-checkpoint',
    'a record that changed while its row was written counts as written',
    'store/dist/checkpoint.js',
    'if (this.#unchecked.get(key) !== unchecked)',
    'if (false)',
    400,
  ),
  mutation(
    'append-after-whatever-head',
    'a store goes on after what another owner has appended',
    'store/dist/journal-writer.js',
    'const appending = journal.append(this.#head, entry);',
    'const appending = journal.append(journal.head, entry);',
    400,
  ),
  mutation(
    'replay-nothing',
    'what the rows lack is not replayed from the journal',
    'store/dist/recovery.js',
    'await recovery.replay();',
    ';',
    50,
  ),
]
