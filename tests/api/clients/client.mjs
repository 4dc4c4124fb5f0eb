// SPDX-License-Identifier: Apache-2.0
//
// client.mjs - @grpc/grpc-js against ioasidd: one line of JSON for each step
//
// usage: node client.mjs SCHEMA TARGET [AUTHORITIES CERTIFICATE KEY]
//
// SCHEMA is the folder of the .proto files, TARGET as gRPC names it:
// "unix:/run/ioasidd/api.sock" or "localhost:8443". With certificates it speaks
// TLS, mutual. IOASID_DEVICE names a device to prepare. What must be true of the lines is said in test_grpc_clients.py.

import { readFileSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [schema, target, ...tls] = process.argv.slice(2);
const files = ['common', 'device', 'operation', 'event', 'lease']
  .map((name) => `ioasid/v1/${name}.proto`)
  .concat('grpc/health/v1/health.proto');
const root = grpc.loadPackageDefinition(loader.loadSync(files, {
  includeDirs: [schema, '/usr/include'], keepCase: true, longs: String,
  enums: String, defaults: true }));
const credentials = tls.length
  ? grpc.credentials.createSsl(...[tls[0], tls[2], tls[1]].map(
    (file) => readFileSync(file)))
  : grpc.credentials.createInsecure();
const client = (service) => new service(target, credentials);
const v1 = root.ioasid.v1;

function say(step, what) {
  console.log(JSON.stringify({ step, ...what }));
}

function deadline(seconds) {
  return { deadline: Date.now() + 1000 * seconds };
}

// The answer, or what it failed with.
function ask(one, method, request, seconds = 30) {
  return new Promise((resolve) => {
    one[method](request, deadline(seconds), (error, answer) => {
      resolve(error ? {
        code: grpc.status[error.code], details: error.details,
        bin: error.metadata.get('grpc-status-details-bin')
          .map((value) => value.toString('base64')) } : { answer });
    });
  });
}

// The first items of a stream, which is then cancelled, and how it ended.
function watch(one, method, request, n, act) {
  return new Promise((resolve) => {
    const items = [];
    const stream = one[method](request, deadline(30));
    stream.on('data', (item) => {
      items.push(item);
      if (items.length === n) stream.cancel();
    });
    stream.on('error', (error) => resolve({
      items, code: grpc.status[error.code] }));
    stream.on('end', () => resolve({ items, code: 'OK' }));
    if (act) act();
  });
}

const host = client(v1.Host);
const devices = client(v1.Devices);
const operations = client(v1.Operations);
const health = client(root.grpc.health.v1.Health);

say('version', await ask(host, 'GetVersion', {}));
const list = await ask(devices, 'ListDevices', { page_size: 2 });
say('list', list);
say('missing', await ask(devices, 'GetDevice',
  { name: 'devices/pci-9999-99-00.0' }));
say('health', await ask(health, 'Check', { service: 'ioasid.v1.Devices' }));
const parallel = await Promise.all(Array.from({ length: 500 },
  () => ask(host, 'GetVersion', {})));
say('parallel', { good: parallel.filter((one) => one.answer).length });
say('health-watch', await watch(health, 'Watch', {}, 1));

// A change that is at work until it is done, and what a watch tells of it; if
// there is a device that the client may change.
const device = process.env.IOASID_DEVICE;
if (device) say('watch', await watch(client(v1.Events), 'WatchEvents', {}, 2,
  () => setTimeout(async () => {
    const prepared = await ask(devices, 'PrepareDevice', { name: device });
    say('prepare', prepared);
    say('wait', await ask(operations, 'WaitOperation',
      { name: prepared.answer.name }));
  }, 200)));

// A deadline: nothing changes any more.
const start = Date.now();
const late = await new Promise((resolve) => {
  const stream = client(v1.Events).WatchEvents({}, deadline(0.5));
  stream.on('data', () => {});
  stream.on('error', (error) => resolve({ code: grpc.status[error.code] }));
  stream.on('end', () => resolve({ code: 'OK' }));
});
say('deadline', { ...late, ms: Date.now() - start });
