using System.Globalization;
using System.Text;

namespace Kvorum.Protocol.Grpc;

/// <summary>Values of gRPC's headers (gRPC over HTTP/2, "Requests" and "Responses").</summary>
public static class GrpcText
{
    public const string ContentType = "application/grpc";
    public const string StatusHeader = "grpc-status";
    public const string MessageHeader = "grpc-message";
    public const string TimeoutHeader = "grpc-timeout";
    public const string EncodingHeader = "grpc-encoding";
    public const string AcceptEncodingHeader = "grpc-accept-encoding";

    private const int TimeoutDigitsMax = 8;

    /// <summary>Percent-encodes a status message: what is not printable ASCII, and the percent sign.</summary>
    public static string Encode(string message)
    {
        foreach (var c in message)
        {
            if (c is < ' ' or > '~' or '%')
            {
                return EncodeSlow(message);
            }
        }

        return message;
    }

    /// <summary>The other way round; what is not well encoded is taken as it stands.</summary>
    public static string Decode(string encoded)
    {
        if (!encoded.Contains('%'))
        {
            return encoded;
        }

        var bytes = new List<byte>(encoded.Length);
        for (var i = 0; i < encoded.Length; i++)
        {
            if (encoded[i] == '%' && i + 2 < encoded.Length
                && byte.TryParse(
                    encoded.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                    out var hex))
            {
                bytes.Add(hex);
                i += 2;
            }
            else
            {
                bytes.Add((byte)encoded[i]);
            }
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>How long the caller waits: at most eight digits and a unit, H, M, S, m, u or n.</summary>
    /// <returns>False when the text is none; a timeout above <see cref="TimeSpan.MaxValue"/> becomes that.</returns>
    public static bool TryParseTimeout(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > TimeoutDigitsMax + 1
            || !long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            return false;
        }

        var ticksPerUnit = text[^1] switch
        {
            'H' => TimeSpan.TicksPerHour,
            'M' => TimeSpan.TicksPerMinute,
            'S' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'u' => TimeSpan.TicksPerMicrosecond,
            'n' => 0,
            _ => -1,
        };
        if (ticksPerUnit < 0)
        {
            return false;
        }

        timeout = text[^1] == 'n'
            ? TimeSpan.FromTicks((count + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick)
            : count > long.MaxValue / ticksPerUnit ? TimeSpan.MaxValue : TimeSpan.FromTicks(count * ticksPerUnit);
        return true;
    }

    /// <summary>A timeout as a header: in the finest unit whose number has at most eight digits.</summary>
    public static string FormatTimeout(TimeSpan timeout)
    {
        const long CountMax = 99_999_999;
        var ticks = Math.Max(1, timeout.Ticks);
        ReadOnlySpan<(long Ticks, char Unit)> units =
        [
            (TimeSpan.TicksPerMicrosecond, 'u'), (TimeSpan.TicksPerMillisecond, 'm'), (TimeSpan.TicksPerSecond, 'S'),
            (TimeSpan.TicksPerMinute, 'M'), (TimeSpan.TicksPerHour, 'H'),
        ];
        foreach (var (unitTicks, unit) in units)
        {
            var count = (ticks + unitTicks - 1) / unitTicks;
            if (count <= CountMax)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{count}{unit}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{CountMax}H");
    }

    private static string EncodeSlow(string message)
    {
        var encoded = new StringBuilder(message.Length + 16);
        foreach (var b in Encoding.UTF8.GetBytes(message))
        {
            if (b is < (byte)' ' or > (byte)'~' or (byte)'%')
            {
                encoded.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
            }
            else
            {
                encoded.Append((char)b);
            }
        }

        return encoded.ToString();
    }
}
