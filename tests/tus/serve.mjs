// Serves @tus/server over a directory; says its port on one line of JSON.
// Options are one JSON argument: directory, port, token, maxSize, expires (milliseconds), relative.
import http from 'node:http'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const options = JSON.parse(process.argv[2])
const datastore = new FileStore({
  directory: options.directory,
  expirationPeriodInMilliseconds: options.expires ?? 0,
})
const tus = new Server({
  path: '/files',
  datastore,
  maxSize: options.maxSize,
  relativeLocation: options.relative ?? false,
  async onIncomingRequest(request) {
    if (options.token && request.headers.get('authorization') !== `Bearer ${options.token}`) {
      throw { status_code: 401, body: 'the token is not known\n' }
    }
  },
})
const listening = http.createServer((request, response) => {
  response.on('finish', () =>
    console.error(request.method, request.headers['upload-offset'] ?? '', response.statusCode),
  )
  tus.handle(request, response)
})
listening.listen(options.port ?? 0, '127.0.0.1', () =>
  console.log(JSON.stringify({ port: listening.address().port })),
)
