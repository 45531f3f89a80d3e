"""An SMTP server for the tests of this package.

Usage: server.py PLAIN|STARTTLS|IMPLICIT [CERTIFICATE KEY] [USER PASSWORD]

Prints a line of JSON when it listens, and one for each thing that happens. Ends when its input ends.
The local part of a recipient decides what becomes of the message; see Handler.
"""

import asyncio
import base64
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        what = address.split("@")[0]
        if what == "refused":
            return "550 5.1.1 no such person: " + address
        if what == "later":
            return "451 4.7.1 greylisted: " + address
        if what == "hang":
            tell("hang")
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        what = envelope.rcpt_tos[0].split("@")[0]
        if what == "spam":
            return "554 5.7.1 looks like spam"
        tell(
            "message",
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            data=base64.b64encode(envelope.original_content).decode(),
            tls=session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            user=session.auth_data or "",
            helo=session.host_name,
        )
        if what == "vanish":
            asyncio.get_running_loop().call_soon(server.transport.close)
        return "250 OK"


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        good = data.login == user.encode() and data.password == password.encode()
        return AuthResult(success=good, handled=good, auth_data=user)

    return check


async def main(mode, arguments):
    context = None
    if mode != "PLAIN":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments[0], arguments[1])
        arguments = arguments[2:]
    options = {"hostname": "mail.test", "enable_SMTPUTF8": True}
    if arguments:
        options.update(authenticator=authenticator(*arguments), auth_required=True, auth_require_tls=mode == "STARTTLS")
    if mode == "STARTTLS":
        options.update(tls_context=context)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), loop=loop, **options), "127.0.0.1", 0, ssl=context if mode == "IMPLICIT" else None
    )
    tell("listening", port=server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)


try:
    asyncio.run(asyncio.wait_for(main(sys.argv[1], sys.argv[2:]), 600))
finally:
    sys.stdout.flush()
