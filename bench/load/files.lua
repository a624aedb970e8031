-- One file after the other, for wrk:  wrk -s files.lua URL -- COUNT
-- They are called /many/0 to /many/COUNT-1; the order is a stride, so that neighbours are not asked together.
local count, at, stride = 1, 0, 1

function init(args)
    count = tonumber(args[1]) or 1
    stride = count > 7 and 61 * 7 or 1
end

function request()
    at = (at + stride) % count
    return wrk.format(nil, "/many/" .. at)
end
