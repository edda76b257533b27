// The files that make the agent a systemd service, as text: one for the machine, one for a user. Writes nothing, and decides
// nothing by looking at the machine.
// Source: systemd.exec(5), systemd.service(5), systemd.socket(5), sysusers.d(5), tmpfiles.d(5); version 252 or newer.

export type Scope = 'system' | 'user'

export interface ServiceFile {
  /** Absolute, below the root of the system that it is for. */
  readonly path: string
  readonly text: string
}

export interface UnitsOptions {
  readonly scope: Scope
  /** Program and arguments that run the agent. */
  readonly command: readonly string[]
  /** Where the units of this user belong; only asked of the scope `user`. */
  readonly userUnitDirectory: string
}

export const SERVICE_UNIT = 'updraft-agent.service'
export const SOCKET_UNIT = 'updraft-agent.socket'
/** User and group of the machine's service. */
export const SERVICE_USER = 'updraft'

/** The first line of every file. What does not begin so is somebody else's. */
export const WRITTEN_BY = '# Written by `updraft-agent service install`.'

/** In the order in which they are to be there. */
export const serviceFiles = ({ scope, command, userUnitDirectory }: UnitsOptions): readonly ServiceFile[] =>
  scope === 'system'
    ? [
        { path: '/etc/sysusers.d/updraft.conf', text: SYSUSERS },
        { path: '/etc/tmpfiles.d/updraft.conf', text: TMPFILES },
        { path: `/etc/systemd/system/${SOCKET_UNIT}`, text: SYSTEM_SOCKET },
        { path: `/etc/systemd/system/${SERVICE_UNIT}`, text: systemService(command) },
      ]
    : [
        { path: `${userUnitDirectory}/${SOCKET_UNIT}`, text: USER_SOCKET },
        { path: `${userUnitDirectory}/${SERVICE_UNIT}`, text: userService(command) },
      ]

const EDIT = (edit: string) => `${WRITTEN_BY} Your changes belong into a drop-in: ${edit}`

// A user of its own that stays, and not DynamicUser=: that one keeps the state below /var/lib/private, which only root may
// enter, so nobody could run what the agent has installed; and there would be no group to open the control socket to.
const SYSUSERS = `${WRITTEN_BY}
u ${SERVICE_USER} - "Updraft agent" /var/lib/updraft
`

const TMPFILES = `${WRITTEN_BY}
# The settings: edited by root, and by \`updraft-agent install\`, which as root acts as the user of the service.
d /etc/updraft 0755 ${SERVICE_USER} ${SERVICE_USER} -
`

const SYSTEM_SOCKET = `${EDIT('systemctl edit updraft-agent.socket')}
[Unit]
Description=Control socket of the Updraft agent

[Socket]
ListenStream=/run/updraft/agent.sock
FileDescriptorName=control
# Members of the group may ask the agent, and tell it to look for updates: usermod -aG ${SERVICE_USER} NAME
SocketUser=${SERVICE_USER}
SocketGroup=${SERVICE_USER}
SocketMode=0660
DirectoryMode=0755

[Install]
WantedBy=sockets.target
`

const USER_SOCKET = `${EDIT('systemctl --user edit updraft-agent.socket')}
[Unit]
Description=Control socket of the Updraft agent

[Socket]
ListenStream=%t/updraft-agent.sock
FileDescriptorName=control
SocketMode=0600

[Install]
WantedBy=sockets.target
`

/** What both services have in common: how the agent is started, watched and started again. */
const lifecycle = (command: readonly string[]): string => `Type=notify
# Messages are sent by systemd-notify, a child of the agent: Node itself cannot send datagrams to a unix socket.
NotifyAccess=all
ExecStart=${commandLine(command)}
SyslogIdentifier=updraft-agent
# A sign of life is due twice in this time; it comes only from a working event loop with a working database.
WatchdogSec=60s
# A Node that hangs says nothing on SIGABRT, and its core is large.
WatchdogSignal=SIGKILL
# However often it fails, it comes back: nobody may be looking at this machine for years.
Restart=always
RestartSec=10s
# What is under way is taken up at the next start; the agent itself gives up after 15 s.
TimeoutStopSec=30s
# The agent ends its own children.
KillMode=mixed
# Updates can wait for those who work.
CPUWeight=20
IOWeight=20
# Large buffers go back to the system when they are freed: a release of 1 GB then peaks at 242 MB instead of 311.
Environment=MALLOC_MMAP_THRESHOLD_=262144
# What threads free goes back to one heap and not to one for each of them; and V8's young generation, which an idle agent does not need,
# stays small. With 1 instead of 4, seeding would cost 1.8 times the processor time.
Environment=MALLOC_ARENA_MAX=1 NODE_OPTIONS=--max-semi-space-size=4
# The compiled program, so that it starts in half the time. It is as trusted as the state beside it, and losing it does no harm.
CacheDirectory=updraft
Environment=NODE_COMPILE_CACHE=%C/updraft
# For machines with little memory; verifying a release takes the most, for a short while.
#MemoryMax=512M`

const systemService = (command: readonly string[]): string => `${EDIT('systemctl edit updraft-agent')}
[Unit]
Description=Updraft agent: keeps software up to date, from a swarm
Wants=network-online.target ${SOCKET_UNIT}
After=network-online.target ${SOCKET_UNIT}
StartLimitIntervalSec=0

[Service]
${lifecycle(command)}

User=${SERVICE_USER}
Group=${SERVICE_USER}
# The system's places, though it is not root.
Environment=UPDRAFT_SYSTEM=1
StateDirectory=updraft
RuntimeDirectory=updraft
# The socket in it belongs to systemd and outlives the agent.
RuntimeDirectoryPreserve=yes
UMask=0022

# Hooks, probes and installers that the agent starts live in the same sandbox. Give them what they need in a drop-in, such
# as ReadWritePaths=/srv/app.
ProtectSystem=strict
ReadWritePaths=/etc/updraft /var/lib/updraft
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
CapabilityBoundingSet=
${CONFINED}
[Install]
WantedBy=multi-user.target
Also=${SOCKET_UNIT}
`

const userService = (command: readonly string[]): string => `${EDIT('systemctl --user edit updraft-agent')}
# Runs while you are logged in; without: loginctl enable-linger
[Unit]
Description=Updraft agent: keeps software up to date, from a swarm
Wants=${SOCKET_UNIT}
After=${SOCKET_UNIT}
StartLimitIntervalSec=0

[Service]
${lifecycle(command)}

# ProtectSystem=, PrivateTmp= and their like need rights that a user's service manager does not have everywhere, and what is
# installed for a user belongs into their home. What follows works without any rights.
${CONFINED}
[Install]
WantedBy=default.target
Also=${SOCKET_UNIT}
`

// Not MemoryDenyWriteExecute=: V8 compiles to memory that it then runs.
const CONFINED = `NoNewPrivileges=yes
# Netlink tells Node the addresses of this machine.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
`

/** Each word as systemd reads it back: quoted where needed, and nothing in it is a specifier or a variable. */
const commandLine = (words: readonly string[]): string =>
  words
    .map((word) => word.replaceAll('%', '%%').replaceAll('$', '$$$$'))
    .map((word) => (/^[\w@%+=:,./$-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&')}"`))
    .join(' ')
