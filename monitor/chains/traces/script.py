"""The JavaScript tracer that records storage, transient storage, balances, logs and calls in the order they happen.

Written for geth's engine and for revm's (anvil, reth), which differ in two ways. revm reports no error when a creation fails: a
frame's success is also read from the word its caller finds on the stack. And at a SELFDESTRUCT revm announces the enclosing
call once more: the script makes that frame itself and skips what the engine announces.

`step` comes before the opcode runs, so what a read gave is the stack's top at the next step of the same frame. On revm it even
comes before the stack is found too short, and a script that then looks beyond the stack's end has its frame reverted, gas and
all: the trace would be of another execution than the chain's. Hence `takes`.
"""

ACCESSES, FRAMES = 500_000, 20_000
"""Where the script stops recording and says so."""

SCRIPT = """{
events: [], accesses: 0, frames: 0, whole: true, open: null, left: null, doomed: 0,
names: {0x31: 'balance', 0x47: 'balance', 0x54: 'sload', 0x55: 'sstore', 0x5c: 'tload', 0x5d: 'tstore'},
takes: {0x31: 1, 0x47: 0, 0x54: 1, 0x55: 2, 0x5c: 1, 0x5d: 2, 0xa0: 2, 0xa1: 3, 0xa2: 4, 0xa3: 5, 0xa4: 6, 0xff: 1},
room: function () {
  if (++this.accesses > %(accesses)d) { this.whole = false; }
  return this.whole;
},
number: function (word) { return '0x' + word.toString(16); },
account: function (word) {
  var hex = word.toString(16);
  while (hex.length < 40) { hex = '0' + hex; }
  return '0x' + hex.slice(-40);
},
said: function (memory, start, size) {
  var there = Math.max(0, Math.min(size, memory.length() - start));
  var hex = there === 0 ? '0x' : toHex(memory.slice(start, start + there));
  while (hex.length < 2 + 2 * size) { hex += '00'; }
  return hex;
},
step: function (log, db) {
  if (this.open !== null) { this.open[3] = this.number(log.stack.peek(0)); this.open = null; }
  if (this.left !== null) { if (this.number(log.stack.peek(0)) === '0x0') { this.left[1] = 0; } this.left = null; }
  var op = log.op.toNumber();
  if (op < 0x31 || (op > 0x5d && op < 0xa0) || !this.whole) { return; }
  var takes = this.takes[op];
  if (takes === undefined || log.stack.length() < takes) { return; }
  var name = this.names[op];
  if (name !== undefined) {
    if (!this.room()) { return; }
    var key = op === 0x47 ? toHex(log.contract.getAddress())
      : op === 0x31 ? this.account(log.stack.peek(0)) : this.number(log.stack.peek(0));
    var event = ['t', name, key, null];
    if (op === 0x55 || op === 0x5d) { event[3] = this.number(log.stack.peek(1)); } else { this.open = event; }
    this.events.push(event);
  } else if (op >= 0xa0 && op <= 0xa4) {
    if (!this.room()) { return; }
    var topics = [], start = Number(log.stack.peek(0).toString(10)), size = Number(log.stack.peek(1).toString(10));
    for (var i = 0; i < op - 0xa0; i++) {
      var topic = log.stack.peek(2 + i).toString(16);
      while (topic.length < 64) { topic = '0' + topic; }
      topics.push('0x' + topic);
    }
    this.events.push(['l', topics, size > 4096 ? null : this.said(log.memory, start, size)]);
  } else if (op === 0xff) {
    if (++this.frames > %(frames)d) { this.whole = false; return; }
    var self = log.contract.getAddress();
    this.events.push(['e', 'SELFDESTRUCT', this.account(log.stack.peek(0)), this.number(db.getBalance(self)), '0x']);
    this.events.push(['x', 1, null, null]);
    this.doomed = 1;
  }
},
enter: function (frame) {
  this.open = null; this.left = null;
  if (this.doomed === 1) { this.doomed = 2; return; }
  if (!this.whole) { return; }
  if (++this.frames > %(frames)d) { this.whole = false; return; }
  var value = frame.getValue(), input = frame.getInput();
  this.events.push(['e', frame.getType(), toHex(frame.getTo()), value === undefined ? '0x0' : this.number(value),
    toHex(input.slice(0, Math.min(input.length, 516)))]);
},
exit: function (result) {
  this.open = null; this.left = null;
  if (this.doomed === 2) { this.doomed = 0; return; }
  this.doomed = 0;
  if (!this.whole) { return; }
  var error = result.getError(), output = result.getOutput();
  var event = ['x', error === undefined ? 1 : 0, Number(result.getGasUsed()),
    output === undefined ? null : toHex(output.slice(0, Math.min(output.length, 516)))];
  this.events.push(event);
  this.left = event;
},
fault: function (log, db) { this.open = null; this.left = null; },
result: function (ctx, db) {
  return {
    events: this.events, whole: this.whole, ok: ctx.error === undefined, type: ctx.type, from: toHex(ctx.from),
    to: ctx.to === undefined || ctx.to === null ? null : toHex(ctx.to),
    value: ctx.value === undefined ? '0x0' : this.number(ctx.value),
    input: toHex(ctx.input.slice(0, Math.min(ctx.input.length, 516)))
  };
}
}""" % {"accesses": ACCESSES, "frames": FRAMES}  # noqa: UP031 - the script is full of braces
