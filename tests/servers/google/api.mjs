// What lies behind the tokens: mail, files and calendars of one account, in the shapes that Google documents, held in
// memory. Pages are small, so that there are several.
//
// A test tells it what happens by POST /api/control with one JSON object:
//   {do: 'add_message', id, raw, labels, at}        raw is base64url, at is in milliseconds
//   {do: 'delete_message' | 'trash', id}            {do: 'label', id, add: [], remove: []}    {do: 'put_label', id, name}
//   {do: 'put_file', id, name, mimeType, parents, content, exports: {mime: …}, modified, owned}   bytes are base64
//   {do: 'trash_file' | 'restore_file' | 'remove_file', id}    an export of null is too large
//   {do: 'put_calendar', id, summary, selected, primary, timeZone}        {do: 'remove_calendar', id}
//   {do: 'put_event', calendar, event}              {do: 'cancel_event', calendar, id}
//   {do: 'expire_history'}                          every bookmark that was given so far is too old
//   {do: 'fail_next', status, times, retryAfter, match}    match: only requests with this in their address
//   {do: 'log'}                                     the addresses asked for since the last log

const PAGE = 3;
const SYSTEM = ['INBOX', 'SENT', 'DRAFT', 'SPAM', 'TRASH', 'UNREAD', 'STARRED', 'IMPORTANT', 'CATEGORY_PERSONAL'];
const FOLDER = 'application/vnd.google-apps.folder';

const mail = { messages: new Map(), labels: new Map(), history: [], id: 1000, floor: 0 };
for (const id of SYSTEM) mail.labels.set(id, { id, name: id, type: 'system' });
const drive = { files: new Map(), changes: [], floor: 0 };
const calendars = new Map();
const dates = { count: 0, floor: 0 };
let failures = [];
let log = [];

export async function handle(request, response, account) {
  const url = new URL(request.url, 'http://here');
  const path = url.pathname.replace(/^\/api/, '').split('/').filter(Boolean).map(decodeURIComponent);
  if (path[0] === 'control' && request.method === 'POST') {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    return send(response, 200, control(JSON.parse(Buffer.concat(chunks).toString())) ?? {});
  }
  log.push(`${url.pathname}${url.search}`);
  const failure = failures.find((one) => one.times > 0 && request.url.includes(one.match ?? ''));
  if (failure) {
    failure.times -= 1;
    const after = failure.retryAfter === undefined ? {} : { 'retry-after': String(failure.retryAfter) };
    return fail(response, failure.status, failure.status === 429 ? 'rateLimitExceeded' : 'backendError', after);
  }
  try {
    const answer = route(path, url.searchParams, account);
    if (Buffer.isBuffer(answer)) {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      return response.end(answer);
    }
    return send(response, 200, answer);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return fail(response, error.status, error.reason);
  }
}

class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    Object.assign(this, { status, reason });
  }
}

function send(response, status, answer, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8', ...headers });
  response.end(JSON.stringify(answer));
}

function fail(response, code, reason, headers) {
  const message = `Refused: ${reason}`;
  send(response, code, { error: { code, message, errors: [{ domain: 'global', reason, message }] } }, headers);
}

function route(path, query, account) {
  const [service, , ...rest] = path;
  if (service === 'gmail') return gmail(rest.slice(2), query, account);
  if (service === 'drive') return files(rest, query, account);
  if (service === 'calendar') return calendar(rest, query, account);
  throw new Refused(404, 'notFound');
}

// A page of a list, with the token for the next.
function page(all, query, name, more = {}) {
  const token = query.get('pageToken');
  const [start, kept] = token === null ? [0, undefined] : token.split(':');
  const from = Number(start);
  if (!Number.isInteger(from) || from > all.length) throw new Refused(400, 'invalidPageToken');
  const items = all.slice(from, from + PAGE);
  const next = from + PAGE < all.length ? `${from + PAGE}:${kept ?? more.kept ?? ''}` : undefined;
  return { [name]: items.length ? items : undefined, nextPageToken: next, kept: kept ?? more.kept };
}

// Mail.

function gmail([what, id], query, account) {
  const all = [...mail.messages.values()];
  if (what === 'profile') {
    const messagesTotal = all.length;
    return { emailAddress: account, messagesTotal, threadsTotal: messagesTotal, historyId: String(mail.id) };
  }
  if (what === 'labels') return { labels: [...mail.labels.values()] };
  if (what === 'messages' && id) {
    const message = mail.messages.get(id);
    if (!message) throw new Refused(404, 'notFound');
    const { at, raw, ...rest } = message;
    const body = query.get('format') === 'raw' ? { raw } : {};
    return { ...rest, snippet: '', internalDate: String(at), historyId: String(mail.id), sizeEstimate: 1, ...body };
  }
  if (what === 'messages') {
    const after = Number(/^after:(\d+)$/.exec(query.get('q') ?? '')?.[1] ?? -1);
    const bins = query.get('includeSpamTrash') === 'true';
    const found = all
      .filter(({ labelIds: has, at }) => query.getAll('labelIds').every((label) => has.includes(label))
        && (bins || !has.some((label) => label === 'SPAM' || label === 'TRASH')) && Math.floor(at / 1000) > after)
      .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
      .map(({ id: one, threadId }) => ({ id: one, threadId }));
    const { kept, ...listed } = page(found, query, 'messages');
    return { ...listed, resultSizeEstimate: found.length };
  }
  if (what === 'history') {
    const start = Number(query.get('startHistoryId'));
    if (!Number.isInteger(start)) throw new Refused(400, 'invalidArgument');
    if (start < mail.floor) throw new Refused(404, 'notFound');
    const names = { messageAdded: 'messagesAdded', messageDeleted: 'messagesDeleted', labelAdded: 'labelsAdded', labelRemoved: 'labelsRemoved' };
    const wanted = query.getAll('historyTypes').map((kind) => names[kind]);
    const since = mail.history.filter((record) => Number(record.id) > start && wanted.some((kind) => record[kind]));
    const { kept, ...listed } = page(since, query, 'history');
    return { ...listed, historyId: String(mail.id) };
  }
  throw new Refused(404, 'notFound');
}

function record(kind, message, labelIds) {
  mail.id += 7;
  const { id, threadId } = message;
  const entry = { message: { id, threadId, labelIds: [...message.labelIds] }, ...(labelIds ? { labelIds } : {}) };
  mail.history.push({ id: String(mail.id), messages: [{ id, threadId }], [kind]: [entry] });
}

function relabel(id, add, remove) {
  const message = mail.messages.get(id);
  message.labelIds = [...new Set([...message.labelIds.filter((label) => !remove.includes(label)), ...add])];
  if (add.length) record('labelsAdded', message, add);
  if (remove.length) record('labelsRemoved', message, remove);
}

// Files.

function files([what, id, action], query, account) {
  if (what === 'about') return { user: { kind: 'drive#user', emailAddress: account, displayName: 'Ana' } };
  if (what === 'changes' && id === 'startPageToken') return { startPageToken: String(drive.changes.length + 1) };
  if (what === 'changes') {
    const start = Number(query.get('pageToken'));
    if (!Number.isInteger(start) || start < 1) throw new Refused(400, 'invalid');
    if (start <= drive.floor) throw new Refused(410, 'gone');
    const end = Math.min(start - 1 + PAGE, drive.changes.length);
    // Of one file only its last change is named.
    const named = drive.changes.slice(start - 1, end).filter((one, at) => !drive.changes.includes(one, start + at));
    const changes = named.map((fileId) => {
      const file = drive.files.get(fileId);
      return { fileId, removed: !file, ...(file ? { file: shown(file, query) } : {}) };
    });
    const rest = end < drive.changes.length ? { nextPageToken: String(end + 1) } : { newStartPageToken: String(end + 1) };
    return { changes, ...rest };
  }
  if (what === 'files' && !id) {
    const tests = (query.get('q') ?? '').split(' and ').filter(Boolean).map(clause);
    const found = [...drive.files.values()]
      .filter((file) => tests.every((test) => test(file)))
      .sort((a, b) => a.created - b.created)
      .map((file) => shown(file, query));
    const { kept, ...listed } = page(found, query, 'files');
    return { files: [], incompleteSearch: false, ...JSON.parse(JSON.stringify(listed)) };
  }
  const file = what === 'files' && drive.files.get(id);
  if (!file) throw new Refused(404, 'notFound');
  if (action === 'export') {
    const content = file.exports?.[query.get('mimeType')];
    if (content === null) throw new Refused(403, 'exportSizeLimitExceeded');
    if (content === undefined) throw new Refused(403, 'fileNotExportable');
    return Buffer.from(content, 'base64');
  }
  if (query.get('alt') === 'media') {
    if (file.content === undefined) throw new Refused(403, 'fileNotDownloadable');
    return Buffer.from(file.content, 'base64');
  }
  return shown(file, query);
}

// Whether a file, or a folder that it lies in, was put into the trash.
function trashed(file) {
  return file.trashed || (file.parents ?? []).some((id) => drive.files.has(id) && trashed(drive.files.get(id)));
}

function shown(file, query) {
  const fields = /files?\(([^)]*)\)/.exec(query.get('fields') ?? '')?.[1]?.split(',') ?? ['id', 'name', 'mimeType'];
  const whole = {
    ...file,
    kind: 'drive#file',
    trashed: trashed(file),
    modifiedTime: new Date(file.modified).toISOString(),
    ownedByMe: file.owned,
    ...(file.content === undefined ? {} : { size: String(Buffer.from(file.content, 'base64').length) }),
  };
  return Object.fromEntries(fields.filter((name) => whole[name] !== undefined).map((name) => [name, whole[name]]));
}

// One condition of a question.
function clause(text) {
  const value = /'((?:[^'\\]|\\.)*)'/.exec(text)?.[1]?.replace(/\\(.)/g, '$1');
  if (/^trashed ?= ?false$/.test(text)) return (file) => !trashed(file);
  if (text === "'me' in owners") return (file) => file.owned;
  if (/^mimeType ?!= ?'/.test(text)) return (file) => file.mimeType !== value;
  if (/^mimeType ?= ?'/.test(text)) return (file) => file.mimeType === value;
  if (/^modifiedTime ?>= ?'/.test(text)) return (file) => file.modified >= Date.parse(value);
  throw new Refused(400, 'invalid');
}

// Calendars.

function calendar([what, id, more], query, account) {
  const list = [...calendars.values()].map(({ events, ...entry }) => entry);
  if (what === 'users') {
    const { kept, ...listed } = page(list, query, 'items');
    return { kind: 'calendar#calendarList', ...listed };
  }
  const one = calendars.get(id === 'primary' ? (list.find((entry) => entry.primary)?.id ?? account) : id);
  if (!one && id === 'primary') return { id: account, summary: account };
  if (!one) throw new Refused(404, 'notFound');
  if (more !== 'events') return { id: one.id, summary: one.summary, timeZone: one.timeZone };
  const token = query.get('syncToken');
  if (token !== null && query.has('timeMin')) throw new Refused(400, 'invalid');
  const [since, min] = token === null ? [-1, query.get('timeMin') ?? ''] : token.split('~');
  if (token !== null && Number(since) < dates.floor) throw new Refused(410, 'fullSyncRequired');
  const late = ({ event }) => !min || event.recurrence || Date.parse(event.end?.dateTime ?? event.end?.date) > Date.parse(min);
  const found = [...one.events.values()]
    .filter((entry) => entry.count > Number(since) && (entry.event.status === 'cancelled' || late(entry)))
    .filter(({ event }) => token !== null || event.status !== 'cancelled' || event.recurringEventId)
    .map(({ event }) => event);
  const { kept, ...listed } = page(found, query, 'items', { kept: dates.count });
  const sync = listed.nextPageToken ? {} : { nextSyncToken: `${kept}~${min}` };
  return { kind: 'calendar#events', summary: one.summary, timeZone: one.timeZone, items: [], ...JSON.parse(JSON.stringify(listed)), ...sync };
}

function put(name, event) {
  dates.count += 1;
  calendars.get(name).events.set(event.id, { count: dates.count, event });
}

// What happens.

function control(act) {
  const { id } = act;
  switch (act.do) {
    case 'add_message':
      mail.messages.set(id, { id, threadId: id, labelIds: act.labels ?? ['INBOX'], raw: act.raw, at: act.at ?? 1700000000000 });
      return record('messagesAdded', mail.messages.get(id));
    case 'delete_message':
      record('messagesDeleted', mail.messages.get(id));
      return void mail.messages.delete(id);
    case 'trash':
      return relabel(id, ['TRASH'], ['INBOX']);
    case 'label':
      return relabel(id, act.add ?? [], act.remove ?? []);
    case 'put_label':
      return void mail.labels.set(id, { id, name: act.name, type: 'user' });
    case 'put_file': {
      const before = drive.files.get(id) ?? { owned: true, parents: ['root'], created: drive.files.size, trashed: false };
      const { do: _, ...given } = act;
      drive.files.set(id, { ...before, ...given, modified: act.modified ?? before.modified ?? 1700000000000 });
      return void drive.changes.push(id);
    }
    case 'trash_file':
    case 'restore_file':
      drive.files.get(id).trashed = act.do === 'trash_file';
      return void drive.changes.push(id);
    case 'remove_file':
      drive.files.delete(id);
      return void drive.changes.push(id);
    case 'put_calendar': {
      const { do: _, ...given } = act;
      const events = calendars.get(id)?.events ?? new Map();
      return void calendars.set(id, { kind: 'calendar#calendarListEntry', accessRole: 'owner', timeZone: 'UTC', ...given, events });
    }
    case 'remove_calendar':
      return void calendars.delete(id);
    case 'put_event':
      return put(act.calendar, { kind: 'calendar#event', status: 'confirmed', updated: '2024-01-01T00:00:00.000Z', ...act.event });
    case 'cancel_event': {
      const { recurringEventId, originalStartTime } = calendars.get(act.calendar).events.get(id)?.event ?? {};
      return put(act.calendar, { kind: 'calendar#event', id, status: 'cancelled', recurringEventId, originalStartTime });
    }
    case 'expire_history':
      mail.id += 1;
      mail.floor = mail.id;
      drive.changes.push('');
      drive.floor = drive.changes.length;
      dates.count += 1;
      dates.floor = dates.count;
      return undefined;
    case 'fail_next':
      return void failures.push({ times: 1, ...act });
    case 'log': {
      const requests = log;
      log = [];
      return { requests };
    }
    default:
      throw new Error(`nothing is known of ${act.do}`);
  }
}
