-- bitstap.lua: BITS uploads in Wireshark and tshark, on any port.
--
-- Wireshark's HTTP dissector does not know the method BITS_POST: requests show as bare TCP. This file
-- looks at every TCP stream after the other dissectors have, so that it takes no port from anybody, and
-- puts heads together itself, across segments and out of order.
--
--   tshark -X lua_script:bitstap.lua -r upload.pcapng -Y 'bits_up.packet_type == "Fragment"'
--
-- Made by: bitstap wireshark. Wireshark 3.4 and newer. MIT OR Apache-2.0.

set_plugin_info({
    version = "1.0",
    author = "bitstap",
    description = "Microsoft BITS upload protocol (MC-BUP)",
})

local proto = Proto("bits_up", "BITS Upload Protocol")

local f = {
    request = ProtoField.bool("bits_up.request", "Request"),
    response = ProtoField.bool("bits_up.response", "Response"),
    method = ProtoField.string("bits_up.method", "Method"),
    uri = ProtoField.string("bits_up.uri", "URL"),
    status = ProtoField.uint16("bits_up.status", "Status"),
    packet_type = ProtoField.string("bits_up.packet_type", "Packet type"),
    session_id = ProtoField.string("bits_up.session_id", "Session id"),
    range_start = ProtoField.uint64("bits_up.range.start", "First byte"),
    range_end = ProtoField.uint64("bits_up.range.end", "Last byte"),
    range_total = ProtoField.uint64("bits_up.range.total", "Size of the file"),
    received = ProtoField.uint64("bits_up.received", "Next byte that the server wants"),
    error_code = ProtoField.uint32("bits_up.error_code", "Error code", base.HEX),
    error_name = ProtoField.string("bits_up.error_name", "Error name"),
    context = ProtoField.uint32("bits_up.context", "Error context", base.HEX),
    protocol = ProtoField.string("bits_up.protocol", "Protocol"),
    supported_protocols = ProtoField.string("bits_up.supported_protocols", "Supported protocols"),
    host_id = ProtoField.string("bits_up.host_id", "Host id"),
    host_id_fallback = ProtoField.string("bits_up.host_id_fallback_timeout", "Host id fallback timeout"),
    reply_url = ProtoField.string("bits_up.reply_url", "Reply URL"),
    content_name = ProtoField.string("bits_up.content_name", "Content name"),
    content_length = ProtoField.uint64("bits_up.content_length", "Content length"),
    user_agent = ProtoField.string("bits_up.user_agent", "User agent"),
    original_url = ProtoField.string("bits_up.original_url", "Original request URL"),
    response_in = ProtoField.framenum("bits_up.response_in", "Response in frame", base.NONE, frametype.RESPONSE),
    request_in = ProtoField.framenum("bits_up.request_in", "Request in frame", base.NONE, frametype.REQUEST),
    wait = ProtoField.relative_time("bits_up.time", "Time since the request"),
    note = ProtoField.string("bits_up.note", "Note of bitstap"),
    finding = ProtoField.string("bits_up.finding", "Finding of bitstap"),
}
proto.fields = {}
for _, field in pairs(f) do
    table.insert(proto.fields, field)
end

local e = {
    note = ProtoExpert.new("bits_up.expert.note", "Note of bitstap", expert.group.COMMENTS_GROUP, expert.severity.NOTE),
    error = ProtoExpert.new("bits_up.expert.error", "BITS error", expert.group.RESPONSE_CODE, expert.severity.WARN),
    finding_error = ProtoExpert.new("bits_up.expert.finding_error", "Finding", expert.group.PROTOCOL, expert.severity.ERROR),
    finding_warning = ProtoExpert.new("bits_up.expert.finding_warning", "Finding", expert.group.PROTOCOL, expert.severity.WARN),
    finding_note = ProtoExpert.new("bits_up.expert.finding_note", "Finding", expert.group.PROTOCOL, expert.severity.NOTE),
    gap = ProtoExpert.new("bits_up.expert.gap", "Bytes are missing in the capture", expert.group.SEQUENCE, expert.severity.NOTE),
}
proto.experts = {}
for _, info in pairs(e) do
    table.insert(proto.experts, info)
end

local tcp_stream = Field.new("tcp.stream")
local tcp_seq = Field.new("tcp.seq_raw")
local tcp_len = Field.new("tcp.len")
local tcp_src = Field.new("tcp.srcport")
local tcp_flags = Field.new("tcp.flags")
local tcp_payload = Field.new("tcp.payload")
local comments = Field.new("frame.comment")

-- Codes by name.
local NAMES = {
--[[NAMES]]
}

local LONGEST_HEAD = 65536
local MOST_WAITING = 512

local streams = {} -- by tcp.stream
local found = {} -- by frame number: what begins there

function proto.init()
    streams = {}
    found = {}
end

-- One direction of a stream.
local function lane()
    return { next = nil, head = "", skip = 0, chunked = false, waiting = {}, count = 0, lost = false }
end

-- Sequence numbers wrap: says how far `to` lies ahead of `from`, negative where behind.
local function ahead(from, to)
    local distance = (to - from) % 4294967296
    if distance >= 2147483648 then
        distance = distance - 4294967296
    end
    return distance
end

local KNOWN = {
    ["bits-packet-type"] = "packet_type",
    ["bits-package-type"] = "packet_type",
    ["bits-session-id"] = "session_id",
    ["bits-received-content-range"] = "received",
    ["bits-recieved-content-range"] = "received",
    ["bits-error"] = "error_code",
    ["bits-error-code"] = "error_code",
    ["bits-error-context"] = "context",
    ["bits-protocol"] = "protocol",
    ["bits-supported-protocols"] = "supported_protocols",
    ["bits-host-id"] = "host_id",
    ["bits-host-id-fallback-timeout"] = "host_id_fallback",
    ["bits-reply-url"] = "reply_url",
    ["bits-original-request-url"] = "original_url",
    ["content-name"] = "content_name",
    ["content-length"] = "content_length",
    ["content-range"] = "range",
    ["transfer-encoding"] = "coding",
    ["user-agent"] = "user_agent",
}

local function parse(head)
    local message = { fields = {} }
    local first, rest = head:match("^%s*([^\r\n]*)\r?\n(.*)$")
    if not first then
        return nil
    end
    local method, uri = first:match("^(%S+) (.-) HTTP/%d%.%d%s*$")
    if method then
        message.method, message.uri = method, uri
    else
        local status = first:match("^HTTP/%d%.%d (%d%d%d)")
        if not status then
            return nil
        end
        message.status = tonumber(status)
    end
    for line in rest:gmatch("([^\n]*)\n") do
        local name, value = line:match("^([^:%s]+)%s*:%s*(.-)%s*\r?$")
        local known = name and KNOWN[name:lower()]
        if known and message.fields[known] == nil then
            message.fields[known] = value
        end
    end
    message.is_bits = false
    if method then
        message.is_bits = method:upper() == "BITS_POST" or message.fields.packet_type ~= nil
            or message.fields.original_url ~= nil
    end
    return message
end

-- Says how many bytes of content follow the head.
local function content(message, asked)
    if message.status then
        local none = message.status < 200 or message.status == 204 or message.status == 304
        if none or (asked and asked.method == "HEAD") then
            return 0, false
        end
    end
    local coding = message.fields.coding
    if coding and coding:lower():find("chunked", 1, true) then
        return 0, true
    end
    return tonumber(message.fields.content_length or "") or 0, false
end

local function begins_message(text)
    return text:find("^%u[%u_%-]*%u %S") or text:find("^HTTP/1%.%d %d%d%d")
end

-- Takes a whole head: pairs it and keeps it for its frame.
local function take(stream, side, frame, message)
    local list = found[frame] or {}
    found[frame] = list
    message.frame = frame
    if message.method then
        table.insert(stream.asked, message)
        side.skip, side.chunked = content(message, nil)
    else
        local asked = stream.asked[1]
        side.skip, side.chunked = content(message, asked)
        if asked and message.status >= 200 then
            table.remove(stream.asked, 1)
            asked.response_in = frame
            message.request_in = asked.frame
            message.since = stream.times[asked.frame]
        end
        message.is_bits = message.fields.packet_type ~= nil or (asked ~= nil and asked.is_bits)
        message.missing = side.lost
    end
    side.lost = false
    if message.is_bits then
        table.insert(list, message)
    end
end

-- Skips the chunks at the start of `text`; returns what is left.
local function skip_chunks(side, text)
    text = side.head .. text
    side.head = ""
    while side.chunked do
        local line, after = text:match("^([^\n]*)\n()")
        if not line then
            side.head = text:sub(1, 1024)
            return ""
        end
        local size = tonumber(line:match("^%s*(%x+)") or "", 16)
        if size == nil then
            side.chunked = false
            return text
        elseif size > 0 then
            local whole = after + size + 2
            side.skip = whole - 1
            if #text < side.skip then
                side.skip = side.skip - #text
                return ""
            end
            text = text:sub(whole)
            side.skip = 0
        else
            local stop = text:match("\r?\n\r?\n()", after - 2)
            if not stop then
                side.head = text:sub(1, 4096)
                return ""
            end
            side.chunked = false
            text = text:sub(stop)
        end
    end
    return text
end

-- Reads the next bytes of a direction.
local function feed(stream, side, frame, text)
    while #text > 0 do
        if side.skip > 0 then
            if #text <= side.skip then
                side.skip = side.skip - #text
                return
            end
            text = text:sub(side.skip + 1)
            side.skip = 0
        end
        if side.chunked then
            text = skip_chunks(side, text)
        end
        if #text == 0 then
            return
        end
        if side.skip == 0 and not side.chunked then
            local all = side.head .. text
            local stop = all:match("\n\r?\n()")
            if not stop then
                -- What begins no message is content without a length, or no HTTP.
                local is_start = begins_message(all) or #all < 16
                side.head = is_start and #all < LONGEST_HEAD and all or ""
                return
            end
            side.head = ""
            local message = parse(all:sub(1, stop - 1))
            if message then
                take(stream, side, frame, message)
                text = all:sub(stop)
            else
                local again = all:find("\nBITS_POST ", 2, true) or all:find("\nHTTP/1.", 2, true)
                if not again then
                    return
                end
                text = all:sub(again + 1)
            end
        end
    end
end

-- Takes a segment: in order, later, or seen before.
local function segment(stream, side, frame, seq, text, len)
    if side.next == nil then
        side.next = seq
    end
    local distance = ahead(side.next, seq)
    if distance > 0 then
        if side.count < MOST_WAITING then
            if not side.waiting[seq] then
                side.count = side.count + 1
            end
            side.waiting[seq] = { text = text, len = len }
            -- Bytes that never come: a message that begins a segment is a place to go on.
            if side.count < 64 and not (distance > 4194304) then
                return
            end
        end
        if not begins_message(text) then
            return
        end
        side.waiting, side.count = {}, 0
        side.head, side.skip, side.chunked, side.lost = "", 0, false, true
        side.next = seq
    elseif distance < 0 then
        if -distance >= len then
            return
        end
        text = text:sub(-distance + 1)
        len = len + distance
    end
    feed(stream, side, frame, text)
    if #text < len then
        -- The packet was cut when it was captured: the rest passed unseen.
        local cut = len - #text
        if side.skip >= cut then
            side.skip = side.skip - cut
        else
            side.head, side.skip, side.chunked = "", 0, false
        end
    end
    side.next = (side.next + len) % 4294967296
    local later = side.waiting[side.next]
    if later then
        side.waiting[side.next] = nil
        side.count = side.count - 1
        -- What it completes is shown where it became complete: the earlier packet was shown before.
        return segment(stream, side, frame, side.next, later.text, later.len)
    end
end

local function number(text)
    local digits = text and text:match("^%s*(%d+)%s*$")
    return digits and #digits < 20 and UInt64.new and UInt64(digits) or nil
end

local function hexadecimal(text)
    local digits = text and text:match("^%s*0?[xX]?(%x+)%s*$")
    return digits and #digits <= 8 and tonumber(digits, 16) or nil
end

local function put(tree, field, value)
    if value ~= nil then
        tree:add(field, value):set_generated()
    end
end

-- Shows one message; `more` tells that it is not the first one of its packet.
local function show(message, pinfo, tree, more)
    local fields = message.fields
    local title = fields.packet_type or message.method or ("Status " .. message.status)
    local branch = tree:add(proto, "BITS Upload Protocol: " .. title)
    put(branch, f.packet_type, fields.packet_type)
    if message.method then
        put(branch, f.request, true)
        put(branch, f.method, message.method)
        put(branch, f.uri, message.uri)
        put(branch, f.response_in, message.response_in)
    else
        put(branch, f.response, true)
        put(branch, f.status, message.status)
        put(branch, f.request_in, message.request_in)
        if message.since then
            local wait = pinfo.rel_ts - message.since
            local whole = math.floor(wait)
            put(branch, f.wait, NSTime.new(whole, math.floor((wait - whole) * 1e9)))
        end
    end
    for _, name in ipairs({
        "session_id", "protocol", "supported_protocols", "host_id", "host_id_fallback", "reply_url",
        "content_name", "user_agent", "original_url",
    }) do
        put(branch, f[name], fields[name])
    end
    put(branch, f.content_length, number(fields.content_length))
    put(branch, f.received, number(fields.received))
    local range = fields.range
    if range then
        local first, last = range:match("(%d+)%s*-%s*(%d+)")
        put(branch, f.range_start, number(first))
        put(branch, f.range_end, number(last))
        put(branch, f.range_total, number(range:match("/%s*(%d+)")))
    end
    put(branch, f.context, hexadecimal(fields.context))
    local code = hexadecimal(fields.error_code)
    if code then
        local name = NAMES[code] or string.format("0x%08X", code)
        put(branch, f.error_code, code)
        put(branch, f.error_name, name)
        if code ~= 0 then
            branch:add_proto_expert_info(e.error, name)
        end
    end
    if message.missing then
        branch:add_proto_expert_info(e.gap)
    end
    local range_text = range and (" " .. range) or ""
    local what = message.method and (message.uri or "") or tostring(message.status)
    pinfo.cols.protocol = "BITS"
    local told = string.format("%s%s %s", title, range_text, what)
    if more then
        pinfo.cols.info:append("; " .. told)
    else
        -- What TCP has written there stands behind a fence, and would stay.
        pinfo.cols.info:clear_fence()
        pinfo.cols.info:set(told)
    end
end

-- Comments of bitstap come in pairs: a sentence, then an object for programs.
local function tell(tree)
    local list = { comments() }
    for place = 2, #list do
        local text, object = tostring(list[place - 1].value), tostring(list[place].value)
        if object:find('^{"bitstap":') and object:find('"fact":', 1, true) then
            local level, id = text:match("^(%l+) (%u+%-?%u*%-%d+):")
            local branch = tree:add(proto, "bitstap: " .. text)
            put(branch, f.note, text)
            if id then
                put(branch, f.finding, id)
                branch:add_proto_expert_info(e["finding_" .. level] or e.finding_note, text)
            else
                branch:add_proto_expert_info(e.note, text)
            end
        end
    end
end

function proto.dissector(_, pinfo, tree)
    local number_of = tcp_stream()
    if not number_of then
        return
    end
    if not pinfo.visited then
        local id = number_of.value
        local stream = streams[id] or { asked = {}, sides = {}, times = {} }
        streams[id] = stream
        local port = tcp_src().value .. " " .. tostring(pinfo.src)
        local side = stream.sides[port]
        local seq = tcp_seq().value
        -- SYN: a stream begins here, and takes a number for itself.
        if not side or bit.band(tcp_flags().value, 2) ~= 0 then
            side = lane()
            stream.sides[port] = side
            if bit.band(tcp_flags().value, 2) ~= 0 then
                side.next = (seq + 1) % 4294967296
            end
        end
        local len = tcp_len().value
        if len > 0 then
            local payload = tcp_payload()
            local text = payload and payload.range:raw() or ""
            stream.times[pinfo.number] = pinfo.rel_ts
            segment(stream, side, pinfo.number, seq, text, len)
            if not found[pinfo.number] then
                stream.times[pinfo.number] = nil
            end
        end
    end
    for place, message in ipairs(found[pinfo.number] or {}) do
        show(message, pinfo, tree, place > 1)
    end
    tell(tree)
end

register_postdissector(proto)
