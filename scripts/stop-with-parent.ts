/**
 * Loaded into every process that `processes.ts` starts: when the parent is gone, by `kill -9` too,
 * the process gets the signal that the parent would have sent.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
