// SPDX-License-Identifier: Apache-2.0
//
// client.ts - what is generated from openapi.json against ioasidd: one line of
// JSON for each step
//
// usage: node client.js SOCKET DEVICE UID
//        node client.js URL DEVICE UID AUTHORITIES CERTIFICATE KEY
//
// Paths, parameters and types are the generator's, of the document alone, and
// tsc checks that what is asked and read here is in them. DEVICE is prepared and
// leased to UID. What must be true of the lines is said in test_long_clients.py.

import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import axios from 'axios';
import { ApiError, Claimant, Device, Device_State, DevicesService,
  HostService, Lease, Lease_State, LeasesService, ListDevicesResponse,
  OpenAPI, Operation, OperationsService, Problem } from './generated';

const [where, name, uid, ...tls] = process.argv.slice(2);
const device = name.replace('devices/', '');
let contentType: unknown;

axios.defaults.proxy = false;
axios.interceptors.response.use(undefined, (error) => {
  contentType = error.response?.headers['content-type'];
  return Promise.reject(error);
});
if (tls.length) {
  OpenAPI.BASE = where;
  const [ca, cert, key] = tls.map((file) => readFileSync(file));
  // Node names no protocol by itself, and without one there is no answer.
  axios.defaults.httpsAgent =
    new Agent({ ca, cert, key, ALPNProtocols: ['http/1.1'] });
} else {
  OpenAPI.BASE = 'http://localhost';
  axios.defaults.socketPath = where;
}

function say(step: string, what: object): void {
  console.log(JSON.stringify({ step, ...what }));
}

// What a call that must fail has failed with.
async function failure(call: Promise<unknown>): Promise<object> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const problem: Problem = error.body;
    return { status: error.status, contentType, problem,
      words: error.message };
  }
  return { problem: null };
}

async function look(): Promise<void> {
  say('version', { answer: await HostService.getVersion() });
  const list: ListDevicesResponse =
    await DevicesService.listDevices({ pageSize: 2 });
  say('list', { answer: list });
  say('host', { answer: await DevicesService.listDevices({
    state: Device_State.HOST, all: true }) });
  say('missing', await failure(
    DevicesService.getDevice({ device: 'pci-9999-99-00.0' })));
  say('wrong', await failure(
    DevicesService.listDevices({ pageToken: 'nonsense' })));
}

async function prepare(): Promise<void> {
  const dry: Operation = await DevicesService.prepareDevice({
    device, dryRun: true, requestBody: {} });
  say('dry', { answer: dry });
  const before: Device = await DevicesService.getDevice({ device });
  say('before', { answer: before });
  const started = await DevicesService.prepareDevice({
    device, idempotencyKey: 'prepare-1', ifMatch: `"${before.etag}"`,
    requestBody: {} });
  say('prepare', { answer: started });
  const operation = (started.name ?? '').replace('operations/', '');
  say('wait', { answer: await OperationsService.waitOperation({
    operation, requestBody: {} }) });
  say('again', { answer: await DevicesService.prepareDevice({
    device, idempotencyKey: 'prepare-1', requestBody: {} }) });
  say('stale', await failure(DevicesService.restoreDevice({
    device, ifMatch: '"1"', requestBody: {} })));
}

async function rent(): Promise<void> {
  const claimant: Claimant = { uid: Number(uid) };
  const made: Lease = await LeasesService.createLease({
    idempotencyKey: 'lease-1',
    requestBody: { devices: [name], claimant, labels: { vm: 'one' } } });
  say('create', { answer: made });
  const lease = (made.name ?? '').replace('leases/', '');
  say('show', { answer: await LeasesService.getLease({ lease }) });
  say('leases', { answer: await LeasesService.listLeases({
    state: Lease_State.OFFERED }) });
  say('taken', await failure(LeasesService.createLease({
    requestBody: { devices: [name], claimant } })));
  say('release', { answer: await LeasesService.releaseLease({
    lease, requestBody: {} }) });
}

async function main(): Promise<void> {
  await look();
  await prepare();
  await rent();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
