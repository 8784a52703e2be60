import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkForm } from './network-form.ts';

test('networks that mean the same have one form', () => {
  const forms: [string, string][] = [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['2001:DB8:0::/32', '2001:db8::/32'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['somewhere', 'somewhere'],
  ];
  for (const [text, form] of forms) assert.equal(networkForm(text), form);
});
