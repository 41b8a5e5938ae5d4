using System.Threading.Channels;
using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>
/// One stream of watchers. A reading half takes requests and queues what there is to do; a writing half alone touches
/// the watchers and sends. So no answer overtakes another.
/// </summary>
internal sealed class WatchStream : IDisposable
{
    private const string DuplicateId = "mvcc: duplicate watch ID provided on the WatchStream";
    private const string EmptyRange = "mvcc: watcher range is empty";
    private const string CompactedReason = "etcdserver: mvcc: required revision has been compacted";
    private const string TooMany = "kvorum: too many watchers on one stream";

    private const int TicksPerInterval = 10;

    private static readonly object TickMark = new();

    private readonly EtcdNode _node;
    private readonly MessageWriter<Pb.WatchResponse> _responses;
    /// <summary>
    /// Requests of the caller, watchers with something to take (each is in it at most once), and ticks.
    /// </summary>
    private readonly Channel<object> _work =
        Channel.CreateUnbounded<object>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Room for requests that wait.</summary>
    private readonly SemaphoreSlim _room = new(WatchStreamLimits.AnswersMax);

    private readonly Dictionary<long, StreamWatcher> _watchers = [];
    private readonly List<KeyEvent> _events = [];
    private long _lastId = -1;
    private int _lagging;
    private int _unflushedBytes;
    private bool _isProgressAsked;
    private ITimer? _ticker;

    public WatchStream(EtcdNode node, MessageWriter<Pb.WatchResponse> responses)
    {
        _node = node;
        _responses = responses;
    }

    public async Task RunAsync(MessageReader<Pb.WatchRequest> requests, GrpcCall call)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(call.Cancel);
        var reading = ReadAsync(requests, stop.Token);
        try
        {
            await WriteAsync(stop.Token).ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Dispose()
    {
        _ticker?.Dispose();
        foreach (var watcher in _watchers.Values)
        {
            watcher.Watcher.Dispose();
        }

        _watchers.Clear();
    }

    /// <summary>
    /// A caller that sends no more still wants its events (the JSON gateway's callers end their side at once).
    /// </summary>
    private async Task ReadAsync(MessageReader<Pb.WatchRequest> requests, CancellationToken cancel)
    {
        try
        {
            while (await requests.ReadAsync(cancel).ConfigureAwait(false) is { } request)
            {
                await _room.WaitAsync(cancel).ConfigureAwait(false);
                _work.Writer.TryWrite(request);
            }
        }
        catch (Exception failure)
        {
            _work.Writer.TryComplete(failure);
        }
    }

    /// <summary>Nothing in it waits for anything but work and the caller's own reading.</summary>
    private async Task WriteAsync(CancellationToken cancel)
    {
        while (await _work.Reader.WaitToReadAsync(cancel).ConfigureAwait(false))
        {
            for (var i = 0; i < WatchStreamLimits.WorkPerTurnMax && _work.Reader.TryRead(out var item); i++)
            {
                await DoAsync(item, cancel).ConfigureAwait(false);
            }

            if (_isProgressAsked && _lagging == 0)
            {
                _isProgressAsked = false;
                TellProgress();
            }

            _unflushedBytes = 0;
            await _responses.FlushAsync(cancel).ConfigureAwait(false);
        }
    }

    private async ValueTask DoAsync(object item, CancellationToken cancel)
    {
        switch (item)
        {
            case Watcher watcher:
                var owner = (StreamWatcher)watcher.Owner!; // Set before the watcher is queued.
                await SendEventsAsync(owner, cancel).ConfigureAwait(false);
                break;
            case Pb.WatchRequest request:
                _room.Release();
                Handle(request);
                break;
            default:
                Tick();
                break;
        }
    }

    private void Handle(Pb.WatchRequest request)
    {
        switch (request.RequestUnionCase)
        {
            case Pb.WatchRequest.RequestUnionOneofCase.CreateRequest:
                Create(request.CreateRequest);
                break;
            case Pb.WatchRequest.RequestUnionOneofCase.CancelRequest:
                Cancel(request.CancelRequest.WatchId);
                break;
            case Pb.WatchRequest.RequestUnionOneofCase.ProgressRequest:
                _isProgressAsked = true;
                break;
            default:
                break; // As etcd: what it does not know it passes over.
        }
    }

    private void Create(Pb.WatchCreateRequest create)
    {
        var key = create.Key.IsEmpty ? new byte[] { 0 } : create.Key.Memory;
        var end = create.RangeEnd.Memory;
        var isOpen = end.Span is [0];
        if (!end.IsEmpty && !isOpen && key.Span.SequenceCompareTo(end.Span) >= 0)
        {
            Refuse(EmptyRange);
            return;
        }

        if (create.StartRevision < 0)
        {
            Refuse(CompactedReason);
            return;
        }

        if (_watchers.Count >= WatchStreamLimits.WatchersMax)
        {
            Refuse(TooMany);
            return;
        }

        if (create.WatchId != 0 && _watchers.ContainsKey(create.WatchId))
        {
            Refuse(DuplicateId);
            return;
        }

        var id = create.WatchId != 0 ? create.WatchId : NextId();
        var watcher = _node.Kvorum.Watch(
            new WatchOptions(key, end, create.StartRevision)
            {
                SkipsPuts = create.Filters.Contains(Pb.WatchCreateRequest.Types.FilterType.Noput),
                SkipsDeletes = create.Filters.Contains(Pb.WatchCreateRequest.Types.FilterType.Nodelete),
            },
            OnReady);
        var made = new StreamWatcher(id, watcher, create) { ToldAt = _node.Context.Time.GetTimestamp() };
        _watchers.Add(id, made);
        _lagging++;
        _responses.Add(new Pb.WatchResponse
        {
            Header = _node.Header(watcher.MadeAtRevision),
            WatchId = id,
            Created = true,
        });
        watcher.Owner = made;
        _work.Writer.TryWrite(watcher);
        if (create.ProgressNotify && _ticker is null)
        {
            var period = _node.Context.Options.WatchProgressInterval / TicksPerInterval;
            _ticker = _node.Context.Time.CreateTimer(_ => _work.Writer.TryWrite(TickMark), null, period, period);
        }
    }

    /// <summary>
    /// Called by the node. The first call comes before the watcher has an owner, who puts it into the queue himself.
    /// </summary>
    private void OnReady(Watcher watcher)
    {
        if (watcher.Owner is StreamWatcher)
        {
            _work.Writer.TryWrite(watcher);
        }
    }

    private long NextId()
    {
        do
        {
            _lastId++;
        }
        while (_watchers.ContainsKey(_lastId));
        return _lastId;
    }

    private void Refuse(string reason) => _responses.Add(new Pb.WatchResponse
    {
        Header = _node.Header(_node.Kvorum.Revision),
        WatchId = -1,
        Created = true,
        Canceled = true,
        CancelReason = reason,
    });

    private void Cancel(long id)
    {
        if (!_watchers.TryGetValue(id, out var watcher))
        {
            return;
        }

        Remove(watcher);
        _responses.Add(new Pb.WatchResponse
        {
            Header = _node.Header(Math.Max(watcher.Revision, watcher.Watcher.MadeAtRevision)),
            WatchId = id,
            Canceled = true,
        });
    }

    private void Remove(StreamWatcher watcher)
    {
        _watchers.Remove(watcher.Id);
        watcher.Watcher.Dispose();
        _lagging -= watcher.IsCurrent ? 0 : 1;
    }

    private async ValueTask SendEventsAsync(StreamWatcher watcher, CancellationToken cancel)
    {
        if (!_watchers.TryGetValue(watcher.Id, out var known) || known != watcher)
        {
            return; // It was cancelled meanwhile.
        }

        _events.Clear();
        var progress = watcher.Watcher.Take(_events);
        if (progress.CompactedRevision > 0)
        {
            Remove(watcher);
            _responses.Add(new Pb.WatchResponse
            {
                Header = _node.Header(_node.Kvorum.Revision),
                WatchId = watcher.Id,
                Canceled = true,
                CompactRevision = progress.CompactedRevision,
                CancelReason = CompactedReason,
            });
            return;
        }

        _lagging += (watcher.IsCurrent ? 1 : 0) - (progress.IsCurrent ? 1 : 0);
        watcher.IsCurrent = progress.IsCurrent;
        watcher.Revision = Math.Max(watcher.Revision, progress.Revision);
        if (_events.Count == 0)
        {
            return;
        }

        watcher.Revision = Math.Max(watcher.Revision, _events[^1].Revision);
        watcher.ToldAt = _node.Context.Time.GetTimestamp();
        await SendAsync(watcher, cancel).ConfigureAwait(false);
    }

    private async ValueTask SendAsync(StreamWatcher watcher, CancellationToken cancel)
    {
        var response = Begin(watcher);
        var bytes = 0;
        foreach (var happened in _events)
        {
            var told = ToPb(watcher, happened);
            var size = told.CalculateSize();
            if (watcher.IsFragmented && bytes > 0 && bytes + size > WatchStreamLimits.FragmentBytesMax)
            {
                response.Fragment = true;
                _responses.Add(response);
                await _responses.FlushAsync(cancel).ConfigureAwait(false);
                response = Begin(watcher);
                bytes = 0;
            }

            response.Events.Add(told);
            bytes += size;
        }

        _responses.Add(response);
        _unflushedBytes += bytes;
        if (_unflushedBytes > WatchStreamLimits.UnflushedBytesMax)
        {
            _unflushedBytes = 0;
            await _responses.FlushAsync(cancel).ConfigureAwait(false);
        }
    }

    private Pb.WatchResponse Begin(StreamWatcher watcher) =>
        new() { Header = _node.Header(watcher.Revision), WatchId = watcher.Id };

    private Pb.Event ToPb(StreamWatcher watcher, KeyEvent happened)
    {
        var told = new Pb.Event
        {
            Type = happened.IsDelete ? Pb.Event.Types.EventType.Delete : Pb.Event.Types.EventType.Put,
            Kv = EtcdMapping.ToPb(happened.Row),
        };
        if (watcher.WantsPrevious && (happened.IsDelete || happened.Row.Version > 1))
        {
            told.PrevKv = _node.Kvorum.ReadBefore(happened.Row.Key, happened.Revision) is { } previous
                ? EtcdMapping.ToPb(previous)
                : null;
        }

        return told;
    }

    /// <summary>How far all watchers of the stream are; they have all there is.</summary>
    private void TellProgress()
    {
        var revision = _watchers.Count == 0 ? _node.Kvorum.Revision : long.MaxValue;
        foreach (var watcher in _watchers.Values)
        {
            revision = Math.Min(revision, watcher.Watcher.CurrentRevision);
        }

        _responses.Add(new Pb.WatchResponse { Header = _node.Header(revision), WatchId = -1 });
    }

    /// <summary>Watchers that ask for it hear now and then how far they are, even when nothing happens.</summary>
    private void Tick()
    {
        var time = _node.Context.Time;
        foreach (var watcher in _watchers.Values)
        {
            if (watcher.WantsProgress && watcher.IsCurrent
                && time.GetElapsedTime(watcher.ToldAt) >= _node.Context.Options.WatchProgressInterval)
            {
                watcher.ToldAt = time.GetTimestamp();
                _responses.Add(new Pb.WatchResponse
                {
                    Header = _node.Header(watcher.Watcher.CurrentRevision),
                    WatchId = watcher.Id,
                });
            }
        }
    }

    /// <summary>A watcher as the stream's caller knows it.</summary>
    private sealed class StreamWatcher(long id, Watcher watcher, Pb.WatchCreateRequest create)
    {
        public long Id { get; } = id;

        public Watcher Watcher { get; } = watcher;

        public bool WantsPrevious { get; } = create.PrevKv;

        public bool WantsProgress { get; } = create.ProgressNotify;

        public bool IsFragmented { get; } = create.Fragment;

        /// <summary>Nothing waits for it, as far as was seen.</summary>
        public bool IsCurrent { get; set; }

        /// <summary>Every event up to it was sent.</summary>
        public long Revision { get; set; }

        public long ToldAt { get; set; }
    }
}
