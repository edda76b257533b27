// Service definitions for launchd and for Windows, as text to start from. Nobody has tried them on those systems yet, and
// each says so.
import { WRITTEN_BY } from './systemd-units.ts'

export interface DefinitionOptions {
  /** For the machine, or for one user. */
  readonly scope: 'system' | 'user'
  /** Program and arguments that run the agent. */
  readonly command: readonly string[]
}

const UNTRIED = 'NOT TRIED on this system yet: read it before you use it, and please report what you find.'

/** Source: launchd.plist(5). */
export const launchdPlist = ({ scope, command }: DefinitionOptions): string => `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${WRITTEN_BY.slice(2)} ${UNTRIED}
     ${
       scope === 'system'
         ? '/Library/LaunchDaemons/updraft-agent.plist; then: launchctl bootstrap system FILE'
         : '~/Library/LaunchAgents/updraft-agent.plist; then: launchctl bootstrap gui/$UID FILE'
     } -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>updraft-agent</string>
  <key>ProgramArguments</key>
  <array>
${command.map((word) => `    <string>${escaped(word)}</string>`).join('\n')}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>10</integer>
  <key>ExitTimeOut</key>
  <integer>30</integer>
  <key>ProcessType</key>
  <string>Background</string>
${
  scope === 'system'
    ? `  <!-- Make this user first, and give it /etc/updraft, /var/lib/updraft and /run/updraft. -->
  <key>UserName</key>
  <string>_updraft</string>
  <key>EnvironmentVariables</key>
  <dict>
    <key>UPDRAFT_SYSTEM</key>
    <string>1</string>
  </dict>
  <key>StandardErrorPath</key>
  <string>/var/log/updraft-agent.log</string>
`
    : ''
}</dict>
</plist>`

/** Source: WinSW 2.x, "XML configuration file". Windows services cannot be Node itself: something has to speak for it. */
export const windowsService = ({
  command: [program = '', ...args],
}: DefinitionOptions): string => `<!-- ${WRITTEN_BY.slice(2)} ${UNTRIED}
     Beside WinSW.exe, renamed to updraft-agent.exe, as updraft-agent.xml; then: updraft-agent.exe install
     The control socket of the agent has no Windows form yet, so it will not start before it has one. -->
<service>
  <id>updraft-agent</id>
  <name>Updraft agent</name>
  <description>Keeps software up to date, from a swarm</description>
  <executable>${escaped(program)}</executable>
  <arguments>${escaped(args.map((word) => `"${word}"`).join(' '))}</arguments>
  <env name="UPDRAFT_HOME" value="%ProgramData%\\Updraft"/>
  <serviceaccount>
    <username>NT AUTHORITY\\LocalService</username>
  </serviceaccount>
  <startmode>Automatic</startmode>
  <delayedAutoStart>true</delayedAutoStart>
  <onfailure action="restart" delay="10 sec"/>
  <stoptimeout>30 sec</stoptimeout>
  <log mode="roll"/>
</service>`

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
