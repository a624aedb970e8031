-- Sixteen requests in one write, for wrk:  wrk -s pipeline.lua URL -- [DEPTH]
-- wrk counts every answer of the batch and sends the next batch after the last one.
function init(args)
    local depth = tonumber(args[1]) or 16
    local one = wrk.format(nil, nil)
    batch = string.rep(one, depth)
end

function request()
    return batch
end
